# Teaches the generated Swift that a task can be cancelled: UniFFI's own waits for the call to end. The call
# is dropped then, as it is in Kotlin and Python, and throws `CancellationError`. Ends with 1 where the
# generated code is not what this was made for.
/^            freeFunc: ffi_roadbook_ffi_rust_future_free_/ {
  line = $0
  sub(/freeFunc/, "cancelFunc", line)
  sub(/future_free_/, "future_cancel_", line)
  print line
  calls++
}
/^    freeFunc: \(UInt64\) -> \(\),$/ {
  print "    cancelFunc: @Sendable (UInt64) -> (),"
  parameter++
}
/^        pollResult = await withUnsafeContinuation \{$/ {
  print "        pollResult = await withTaskCancellationHandler { await withUnsafeContinuation {"
  wrapped++
  next
}
/^    \} while pollResult != UNIFFI_RUST_FUTURE_POLL_READY$/ {
  print "        } onCancel: { cancelFunc(rustFuture) }"
  closed++
}
/^ *fatalError\("Cancellation not supported yet"\)$/ {
  sub(/fatalError.*/, "throw CancellationError()")
  thrown++
}
{ print }
END { exit !(calls > 0 && parameter == 1 && wrapped == 1 && closed == 1 && thrown == 1) }

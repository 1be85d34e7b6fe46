//! The generator of the bindings: reads the interface out of the built library. `mobile-ffi/bindings`
//! runs it.

fn main() {
    uniffi::uniffi_bindgen_main();
}

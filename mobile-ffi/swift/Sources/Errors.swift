// What went wrong, for people.

extension RoadbookError {
    /// What went wrong and, where there is one, the way out: to be shown as it is.
    public var explanation: String {
        switch self {
        case .NotEnrolled(let reason), .NotFound(let reason), .Offline(let reason), .Wiped(let reason),
            .LeaseEnded(let reason), .Untrusted(let reason), .NewerFile(let reason), .Damaged(let reason),
            .Storage(let reason), .Keys(let reason), .NotAllowed(let reason), .Ambiguous(let reason):
            return reason
        case .Invalid(let field, let reason, let wayOut): return "\(field): \(reason); \(wayOut)"
        case .Refused(_, let reason, _): return reason
        case .Address(let url, let reason): return "\(url) is not a usable server address: \(reason)"
        case .Locked(let home, let holder): return "\(home) is in use by \(holder)"
        case .Suspended: return "the replica is suspended: call resume first"
        case .Closed: return "the replica is closed: open it anew"
        case .Cancelled: return "the call was cancelled"
        case .Panic(let report): return report
        }
    }
}

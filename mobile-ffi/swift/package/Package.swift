// swift-tools-version:5.9
// The SDK as a Swift package: on Apple's systems over the XCFramework, elsewhere over the shared library,
// which has to be found by the linker (`swift build -Xlinker -L...`).
import PackageDescription

#if os(Linux)
let library: Target = .systemLibrary(name: "RoadbookFFI", path: "RoadbookFFI")
let frameworks: [LinkerSetting] = []
#else
let library: Target = .binaryTarget(name: "RoadbookFFI", path: "RoadbookFFI.xcframework")
// What the library's TLS asks for the system's certificates.
let frameworks: [LinkerSetting] = [.linkedFramework("Security"), .linkedFramework("CoreFoundation")]
#endif

let package = Package(
    name: "Roadbook",
    platforms: [.iOS(.v15), .macOS(.v12)],
    products: [.library(name: "RoadbookKit", targets: ["RoadbookKit"])],
    targets: [library, .target(name: "RoadbookKit", dependencies: ["RoadbookFFI"], linkerSettings: frameworks)]
)

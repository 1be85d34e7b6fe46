// swift-tools-version:5.9
// What is compiled against the SDK's package, which lies beside this: the example, the model of the iOS
// sample, the scenario suite. `swift/toolbox` puts their sources here.
import PackageDescription

let sdk: Target.Dependency = .product(name: "RoadbookKit", package: "Roadbook")

let package = Package(
    name: "Stage",
    platforms: [.iOS(.v15), .macOS(.v12)],
    dependencies: [.package(path: "../Roadbook")],
    targets: [
        .executableTarget(name: "Example", dependencies: [sdk], path: "examples/swift"),
        .target(name: "ContactsModel", dependencies: [sdk], path: "examples/ios/Model"),
        .testTarget(name: "RoadbookTests", dependencies: [sdk, "ContactsModel"], path: "swift/Tests"),
    ]
)

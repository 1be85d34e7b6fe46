// The sample's module. The library comes from a Maven repository into which the files of
// mobile-ffi/packaging/aar were put.
plugins {
    id("com.android.application")
    id("org.jetbrains.kotlin.android")
    id("org.jetbrains.kotlin.plugin.compose")
}

android {
    namespace = "app.roadbook.sample"
    compileSdk = 35
    defaultConfig {
        applicationId = "app.roadbook.sample"
        minSdk = 26
        targetSdk = 35
    }
    buildFeatures { compose = true }
    // What has no Android in it is compiled on the JVM too: ../check.
    sourceSets["main"].java.srcDir("../model")
    sourceSets["main"].java.exclude("Check.kt")
}

dependencies {
    implementation("app.roadbook:roadbook-android:0.1.0@aar") { isTransitive = true }
    implementation(platform("androidx.compose:compose-bom:2025.01.00"))
    implementation("androidx.activity:activity-compose:1.10.0")
    implementation("androidx.compose.material3:material3")
    implementation("androidx.lifecycle:lifecycle-process:2.8.7")
    implementation("androidx.lifecycle:lifecycle-viewmodel-compose:2.8.7")
    implementation("androidx.work:work-runtime-ktx:2.10.0")
}

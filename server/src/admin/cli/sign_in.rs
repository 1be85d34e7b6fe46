//! The flags of `serve` about the company's own identity provider.

use clap::Args;

/// Sign-in by an identity provider (OpenID Connect).
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Sign-in by an identity provider (OpenID Connect)")]
pub struct OidcArgs {
    /// The provider's address, exactly as it writes it.
    #[arg(long, value_name = "URL")]
    pub oidc_issuer: Option<String>,
    /// The name under which Roadbook is registered there.
    #[arg(long, value_name = "ID")]
    pub oidc_client_id: Option<String>,
    /// The file whose first line is the secret of that registration.
    #[arg(long, value_name = "FILE")]
    pub oidc_client_secret_file: Option<String>,
    /// The claim whose value is a login here.
    #[arg(long, value_name = "CLAIM")]
    pub oidc_claim: Option<String>,
    /// What the sign-in button calls the provider.
    #[arg(long, value_name = "TEXT")]
    pub oidc_name: Option<String>,
    /// The workspace whose people come in, where there are several.
    #[arg(long, value_name = "NAME")]
    pub oidc_workspace: Option<String>,
    /// Who asks for the second factor: provider or roadbook.
    #[arg(long, value_name = "WHO")]
    pub oidc_second_factor: Option<String>,
    /// Certificate authorities to trust at the provider beside the system's.
    #[arg(long, value_name = "FILE")]
    pub oidc_ca_file: Option<String>,
}

impl OidcArgs {
    /// The settings that the flags give.
    pub fn settings(&self) -> impl Iterator<Item = (&'static str, String)> {
        let given = [
            ("oidc_issuer", &self.oidc_issuer),
            ("oidc_client_id", &self.oidc_client_id),
            ("oidc_client_secret_file", &self.oidc_client_secret_file),
            ("oidc_claim", &self.oidc_claim),
            ("oidc_name", &self.oidc_name),
            ("oidc_workspace", &self.oidc_workspace),
            ("oidc_second_factor", &self.oidc_second_factor),
            ("oidc_ca_file", &self.oidc_ca_file),
        ];
        given.into_iter().filter_map(|(key, value)| Some((key, value.clone()?)))
    }
}

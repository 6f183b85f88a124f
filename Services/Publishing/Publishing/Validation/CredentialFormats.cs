using LlmMarketplace.ApiConventions;
using LlmMarketplace.ProviderNetwork;
using LlmMarketplace.Publishing.Contracts;

namespace LlmMarketplace.Publishing.Validation;

/// <summary>Whether a credential is what its authentication needs, as far as can be told without using it. Asked when a version is validated and when its credential is replaced.</summary>
internal sealed class CredentialFormats(EndpointGuard guard)
{
    /// <summary>What is wrong with it, without a word of the secret; null when nothing is.</summary>
    /// <param name="authentication">What it is for.</param>
    /// <param name="secret">The credential.</param>
    /// <param name="organisationSlug">The provider's organisation.</param>
    /// <param name="urls">The version's addresses; what is no address is not its business.</param>
    public string? Problem(EndpointAuthentication authentication, string secret, string organisationSlug, IEnumerable<string?> urls)
    {
        string? problem = null;
        switch (authentication)
        {
            case EndpointAuthentication.GoogleServiceAccount when GoogleServiceAccountKey.Parse(secret, out problem) is { } account:
                return guard.AdmitsTokenServer(account.TokenUri, organisationSlug) ? null : "The secret's `token_uri` must be one of Google's, https://oauth2.googleapis.com/token: the marketplace fetches tokens nowhere else.";
            case EndpointAuthentication.AwsSignature when AwsAccessKey.Parse(secret, out problem) is { } key:
                return urls.Any(url => Uri.TryCreate(url, UriKind.Absolute, out var address) && key.RegionOf(address) is null)
                    ? "No region is known to sign for: use an address as https://bedrock-runtime.eu-central-1.amazonaws.com, or give the secret a `region`."
                    : null;
            default:
                return problem;
        }
    }

    /// <summary>The same for one that is to be used at a version's addresses; of a version that is not validated yet nothing is said.</summary>
    public Issue? Check(ServiceEndpoint? endpoint, string secret, string organisationSlug) =>
        endpoint is not null && Problem(endpoint.Authentication, secret, organisationSlug, [endpoint.Url, .. (endpoint.Replicas ?? []).Select(replica => replica.Url)]) is { } problem
            ? new Issue(IssueCodes.SecretInvalid, "/secret", problem)
            : null;
}

using System.Text.Json;
using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Publishing.Listings;
using LlmMarketplace.Publishing.Validation;

namespace LlmMarketplace.Publishing.Versions;

/// <summary>What the validation is given.</summary>
internal static class Subjects
{
    /// <summary>A version that is kept.</summary>
    public static ValidationSubject ToSubject(this ListingVersion version, Listing listing, ProviderSecretProtector protector) =>
        new(version.Version, Parse(version.Document), version.OpenApi, version.CredentialNames, one => protector.Unprotect(version.Id, version.SecretOf(one.Name)), listing.Provider, Others(listing, version.Id));

    /// <summary>A declaration that was only sent, as a version of the listing.</summary>
    public static ValidationSubject ToSubject(this DeclarationBody body, Listing listing) =>
        new(body.Version, Parse(body.Document), body.OpenApi, body.CredentialNames, _ => body.Secret!, listing.Provider, Others(listing, null));

    public static IReadOnlyList<ExistingVersion> Others(Listing listing, Guid? except) =>
    [
        .. listing.Versions.Where(other => other.Id != except).Select(other => new ExistingVersion(
            other.Version,
            other.Status != Contracts.VersionStatus.Rejected && VersionLifecycle.LeftTheDesk.Contains(other.Status))),
    ];

    private static JsonElement Parse(string json) => JsonElement.Parse(json);
}

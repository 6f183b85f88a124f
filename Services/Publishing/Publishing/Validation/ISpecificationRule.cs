using LlmMarketplace.Publishing.Versions;

namespace LlmMarketplace.Publishing.Validation;

/// <summary>One group of rules. Reports every breach that it finds; a member that could not be read is not its business.</summary>
internal interface ISpecificationRule
{
    Task CheckAsync(ValidationSubject subject, Declaration declaration, Node root, CancellationToken cancellationToken);
}

/// <summary>What is validated.</summary>
/// <param name="Version">Its version as written.</param>
/// <param name="Document">The declaration without version, credential and OpenAPI document.</param>
/// <param name="OpenApi">The OpenAPI document's text, or null.</param>
/// <param name="Credentials">The credentials that were given.</param>
/// <param name="SecretOf">Gives one of them.</param>
/// <param name="OrganisationSlug">The provider's organisation.</param>
/// <param name="OtherVersions">The listing's other versions.</param>
internal sealed record ValidationSubject(
    string? Version,
    System.Text.Json.JsonElement Document,
    string? OpenApi,
    IReadOnlyList<NamedCredential> Credentials,
    Func<NamedCredential, string> SecretOf,
    string OrganisationSlug,
    IReadOnlyList<ExistingVersion> OtherVersions);

/// <summary>Another version of the listing.</summary>
/// <param name="Version">SemVer.</param>
/// <param name="LeftTheDesk">Whether others have seen it or will once it is approved: then a new one must be greater.</param>
internal sealed record ExistingVersion(string Version, bool LeftTheDesk);

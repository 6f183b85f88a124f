using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Security.Claims;
using System.Text.RegularExpressions;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Publishing.Validation;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;

namespace LlmMarketplace.Publishing.Versions;

/// <summary>
/// <c>PUT /api/v1/listings/{id}/versions/{version}/credentials/{name}</c>: gives a version one more credential, or another one in the place of the one of that name. Of a published version calls use
/// it as soon as they hear of it; those under way end with what they began with.
/// </summary>
internal static partial class PutCredential
{
    /// <summary>The most credentials of a version.</summary>
    private const int Most = 50;
    private const int MaxLength = 8_192;

    /// <summary>The credential.</summary>
    /// <param name="Secret">Written, never read.</param>
    /// <param name="Endpoint">The only address that it is sent to: <c>primary</c>, or a replica's name; null: every address that has none of its own.</param>
    internal sealed record Request([property: Required] string? Secret, string? Endpoint);

    public static void Map(RouteGroupBuilder listings) => listings.MapPut("/{id:guid}/versions/{version}/credentials/{name}", HandleAsync).WithName("PutCredential")
        .WithSummary("Give a version one more credential, or replace one");

    private static async Task<Results<Ok<VersionView>, ProblemHttpResult>> HandleAsync(
        Guid id,
        string version,
        [Description("The credential's name: 1 to 40 lower-case letters, digits and hyphens")] string name,
        Request request,
        ClaimsPrincipal caller,
        CredentialDesk desk,
        ProviderSecretProtector protector,
        CredentialFormats formats,
        CancellationToken cancellationToken)
    {
        var (listing, found, refusal) = await desk.OpenAsync(caller, id, version, cancellationToken);
        if (refusal is not null)
        {
            return refusal;
        }

        if ((Check(found!, name, request) ?? formats.Check(found!.Specification?.Endpoint, request.Secret!, listing!.Provider)) is { } issue)
        {
            return Problems.Invalid(issue);
        }

        var secret = protector.Protect(found!.Id, request.Secret!);
        if (name == PublishedCredential.Default)
        {
            found.Secret = secret;
        }
        else
        {
            found.Credentials = [.. found.Credentials.Where(one => one.Name != name), new VersionCredential(name, request.Endpoint, secret, desk.Now)];
        }

        return await desk.CommitAsync(listing!, found, cancellationToken);
    }

    private static Issue? Check(ListingVersion version, string name, Request request)
    {
        if (!NamePattern().IsMatch(name))
        {
            return new Issue("invalid_name", "/name", "A credential's name has 1 to 40 lower-case letters, digits and hyphens, and begins with a letter or digit.");
        }

        if (request.Secret is not { Length: > 0 and <= MaxLength })
        {
            return new Issue(IssueCodes.SecretRequired, "/secret", $"It must be a string of 1 to {MaxLength} characters.");
        }

        if (name == PublishedCredential.Default && request.Endpoint is not null)
        {
            return new Issue(IssueCodes.UnknownValue, "/endpoint", "The credential default is for every address that has none of its own: take another name for one of an address.");
        }

        if (request.Endpoint is { } endpoint && version.Specification is { } specification && !specification.Endpoint.AddressNames().Contains(endpoint))
        {
            return new Issue(IssueCodes.UnknownValue, "/endpoint", $"The version's addresses are {string.Join(", ", specification.Endpoint.AddressNames())}.");
        }

        return version.CredentialNames.Count(one => one.Name != name) >= Most ? new Issue(IssueCodes.TooMany, "", $"A version has at most {Most} credentials.") : null;
    }

    [GeneratedRegex("^[a-z0-9][a-z0-9-]{0,39}$", RegexOptions.CultureInvariant)]
    private static partial Regex NamePattern();
}

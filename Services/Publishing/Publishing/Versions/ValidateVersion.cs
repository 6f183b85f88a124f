using System.Security.Claims;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Publishing.Listings;
using LlmMarketplace.Publishing.Validation;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;

namespace LlmMarketplace.Publishing.Versions;

/// <summary>
/// <c>POST /api/v1/listings/{id}/versions/validate</c> with a declaration, or <c>…/versions/{version}/validate</c> for the one that is kept: what the pipeline would say,
/// all at once, and nothing changes.
/// </summary>
internal static class ValidateVersion
{
    public static void Map(RouteGroupBuilder listings)
    {
        listings.MapPost("/{id:guid}/versions/validate", SentAsync).WithName("ValidateDeclaration").Accepts<ServiceDeclaration>("application/json").WithSummary("Validate a declaration without keeping it");
        listings.MapPost("/{id:guid}/versions/{version}/validate", KeptAsync).WithName("ValidateVersion").WithSummary("Validate a version without submitting it");
    }

    private static async Task<Results<Ok<Report>, ProblemHttpResult>> SentAsync(
        Guid id, DeclarationBody body, ClaimsPrincipal caller, ListingDesk desk, SpecificationValidator validator, CancellationToken cancellationToken)
    {
        if (await desk.FindAsync(id, cancellationToken) is not { } listing || !caller.MaySee(listing))
        {
            return Refusals.NoListing;
        }

        return body.Refusal is { } refusal ? refusal : await ReportAsync(validator, body.ToSubject(listing), cancellationToken);
    }

    private static async Task<Results<Ok<Report>, ProblemHttpResult>> KeptAsync(
        Guid id, string version, ClaimsPrincipal caller, ListingDesk desk, SpecificationValidator validator, ProviderSecretProtector protector, CancellationToken cancellationToken)
    {
        if (await desk.FindAsync(id, cancellationToken) is not { } listing || !caller.MaySee(listing))
        {
            return Refusals.NoListing;
        }

        return listing.Versions.Find(one => one.Version == version) is { } found
            ? await ReportAsync(validator, found.ToSubject(listing, protector), cancellationToken)
            : Refusals.NoVersion;
    }

    private static async Task<Ok<Report>> ReportAsync(SpecificationValidator validator, ValidationSubject subject, CancellationToken cancellationToken)
    {
        var outcome = await validator.ValidateAsync(subject, cancellationToken);
        return TypedResults.Ok(new Report(outcome.Issues.Count == 0, outcome.Issues));
    }

    /// <summary>What the validation found.</summary>
    /// <param name="Valid">Whether there are no issues.</param>
    /// <param name="Issues">Every issue.</param>
    internal sealed record Report(bool Valid, IReadOnlyList<Issue> Issues);
}

using System.ComponentModel.DataAnnotations;
using System.Security.Claims;
using System.Text.RegularExpressions;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Identity.Contracts;
using LlmMarketplace.Publishing.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace LlmMarketplace.Publishing.Listings;

/// <summary><c>POST /api/v1/listings</c>. Repeating it answers 409 <c>listing_exists</c> with the listing's id.</summary>
internal static partial class CreateListing
{
    public static void Map(RouteGroupBuilder listings) => listings.MapPost("/", HandleAsync).WithName("CreateListing").WithSummary("Create a listing for your organisation");

    private static async Task<Results<Created<ListingView>, ProblemHttpResult>> HandleAsync(
        Request request, ClaimsPrincipal caller, HttpContext http, PublishingDb db, TimeProvider time, CancellationToken cancellationToken)
    {
        if (!caller.Has(Roles.Provider))
        {
            return Problems.Forbidden("provider_role_required", "Only providers create listings.");
        }

        List<Issue> issues = [.. Visibilities.Check(request.Visibility)];
        if (request.Name is null || !ListingName().IsMatch(request.Name))
        {
            issues.Add(new Issue("invalid_name", "/name", "A name has 1 to 64 lower-case letters, digits, dots and hyphens, and begins and ends with a letter or digit."));
        }

        if (issues.Count > 0)
        {
            return Problems.Invalid(issues);
        }

        if (await db.Organisations.FindAsync([caller.OrganisationId()], cancellationToken) is not { } organisation)
        {
            http.Response.Headers.RetryAfter = "1";
            return Problems.Of(StatusCodes.Status503ServiceUnavailable, "organisation_not_known_yet", "Your organisation is so new that its creation has not arrived here: try again in a second.");
        }

        if (organisation.Status != OrganisationStatus.Active)
        {
            return Problems.Forbidden("organisation_suspended", "Your organisation is suspended.");
        }

        return await StoreAsync(db, organisation.Id, organisation.Slug, request, caller.Subject(), time.GetUtcNow(), cancellationToken);
    }

    private static async Task<Results<Created<ListingView>, ProblemHttpResult>> StoreAsync(
        PublishingDb db, Guid organisationId, string slug, Request request, string createdBy, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var listing = new Listing
        {
            Id = Guid.CreateVersion7(),
            OrganisationId = organisationId,
            Provider = slug,
            Name = request.Name!,
            Visibility = Visibilities.Normalise(request.Visibility!),
            Revision = 1,
            CreatedBy = createdBy,
            CreatedAt = now,
            ChangedAt = now,
        };
        db.Listings.Add(listing);
        try
        {
            await db.SaveChangesAsync(cancellationToken);
            return TypedResults.Created($"/api/v1/listings/{listing.Id}", ListingView.Of(listing));
        }
        catch (DbUpdateException taken) when (taken.InnerException is PostgresException { SqlState: PostgresErrorCodes.UniqueViolation })
        {
            var existing = await db.Listings.AsNoTracking().SingleAsync(other => other.OrganisationId == organisationId && other.Name == listing.Name, cancellationToken);
            return Problems.Of(StatusCodes.Status409Conflict, "listing_exists", $"Your organisation already has the listing {slug}/{listing.Name}.", new KeyValuePair<string, object?>("listingId", existing.Id));
        }
    }

    [GeneratedRegex("^[a-z0-9](?:[a-z0-9.-]{0,62}[a-z0-9])?\\z")]
    private static partial Regex ListingName();

    /// <summary>A listing to create.</summary>
    /// <param name="Name">Unique within the provider: 1 to 64 lower-case letters, digits, dots and hyphens.</param>
    /// <param name="Visibility">Who may see it.</param>
    internal sealed record Request([property: Required] string? Name, [property: Required] ListingVisibility? Visibility);
}

using System.ComponentModel.DataAnnotations;
using LlmMarketplace.Identity.Access;
using LlmMarketplace.Messaging;
using Npgsql;

namespace LlmMarketplace.Identity.Organisations;

/// <summary>A new organisation.</summary>
/// <param name="Slug">2 to 40 lower-case letters, digits and hyphens. Never changes.</param>
/// <param name="Name">Name for people.</param>
/// <param name="Clearance">The highest compliance level of listings that it may see; <c>public</c> when not said.</param>
/// <param name="Tier">Decides rate limits; <c>basic</c> when not said.</param>
internal sealed record NewOrganisation([property: Required] string? Slug, [property: Required] string? Name, ComplianceLevel? Clearance, OrganisationTier? Tier);

/// <summary>POST /api/v1/organisations.</summary>
internal static class CreateOrganisation
{
    public static async Task<Results<Created<OrganisationView>, ProblemHttpResult>> HandleAsync(
        NewOrganisation request, HttpResponse response, IdentityDb db, Outbox outbox, TimeProvider time, CancellationToken cancellationToken)
    {
        if (Checks.Refuse(Checks.Slug(request.Slug), Checks.Name(request.Name)) is { } invalid)
        {
            return invalid;
        }

        var now = time.GetUtcNow();
        var organisation = new Organisation
        {
            Id = Guid.CreateVersion7(now),
            Slug = request.Slug!,
            Name = request.Name!.Trim(),
            Clearance = request.Clearance ?? ComplianceLevel.Public,
            Tier = request.Tier ?? OrganisationTier.Basic,
            CreatedAt = now,
        };
        db.Organisations.Add(organisation);
        outbox.Add(db, organisation.Id, organisation.Version, organisation.ToEvent());
        try
        {
            await db.SaveChangesAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (DbUpdateException e) when (e.InnerException is PostgresException { SqlState: PostgresErrorCodes.UniqueViolation })
        {
            return Refusal.SlugTaken.ToProblem();
        }

        response.Headers.ETag = OrganisationRoutes.ETag(organisation.Version);
        return TypedResults.Created($"/api/v1/organisations/{organisation.Id}", OrganisationView.Of(organisation));
    }
}

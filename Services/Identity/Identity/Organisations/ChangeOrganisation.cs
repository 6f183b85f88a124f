using LlmMarketplace.Identity.Access;
using LlmMarketplace.Messaging;
using Microsoft.Extensions.Primitives;

namespace LlmMarketplace.Identity.Organisations;

/// <summary>What to change; members that are not there stay as they are.</summary>
/// <param name="Slug">Not to be changed: refused when it is another than the present one.</param>
/// <param name="Name">Name for people.</param>
/// <param name="Clearance">The highest compliance level of listings that it may see.</param>
/// <param name="Tier">Decides rate limits.</param>
/// <param name="Status">Suspended organisations get no tokens.</param>
internal sealed record OrganisationChange(string? Slug, string? Name, ComplianceLevel? Clearance, OrganisationTier? Tier, OrganisationStatus? Status);

/// <summary>PATCH /api/v1/organisations/{id}. Honours If-Match; a change that changes nothing is no event.</summary>
internal static class ChangeOrganisation
{
    public static async Task<Results<Ok<OrganisationView>, ProblemHttpResult>> HandleAsync(
        Guid id, OrganisationChange request, HttpContext context, IdentityDb db, Outbox outbox, CancellationToken cancellationToken)
    {
        var organisation = await db.Organisations.SingleOrDefaultAsync(o => o.Id == id, cancellationToken).ConfigureAwait(false);
        if (organisation is null)
        {
            return Problems.NotFound("The organisation");
        }

        if (Checks.Refuse(request.Name is null ? null : Checks.Name(request.Name), Fixed(request, organisation)) is { } invalid)
        {
            return invalid;
        }

        var expected = context.Request.Headers.IfMatch;
        if (expected != StringValues.Empty && !expected.Contains("*") && !expected.Contains(OrganisationRoutes.ETag(organisation.Version)))
        {
            return Refusal.NotThisVersion.ToProblem();
        }

        if (organisation.IsOperator && request.Status is OrganisationStatus.Suspended)
        {
            return Refusal.OperatorMayNotBeSuspended.ToProblem();
        }

        organisation.Name = request.Name?.Trim() ?? organisation.Name;
        organisation.Clearance = request.Clearance ?? organisation.Clearance;
        organisation.Tier = request.Tier ?? organisation.Tier;
        organisation.Status = request.Status ?? organisation.Status;
        if (db.ChangeTracker.HasChanges())
        {
            organisation.Version++;
            outbox.Add(db, organisation.Id, organisation.Version, organisation.ToEvent());
            try
            {
                await db.SaveChangesAsync(cancellationToken).ConfigureAwait(false);
            }
            catch (DbUpdateConcurrencyException)
            {
                return Refusal.ChangedMeanwhile.ToProblem();
            }
        }

        context.Response.Headers.ETag = OrganisationRoutes.ETag(organisation.Version);
        return TypedResults.Ok(OrganisationView.Of(organisation));
    }

    private static Issue? Fixed(OrganisationChange request, Organisation organisation) => request.Slug is null || request.Slug == organisation.Slug
        ? null
        : new("slug_is_fixed", "/slug", "The slug never changes: addresses and model names are made of it.");
}

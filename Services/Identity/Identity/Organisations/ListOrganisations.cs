using System.ComponentModel;
using LlmMarketplace.Identity.Access;

namespace LlmMarketplace.Identity.Organisations;

/// <summary>GET /api/v1/organisations: all of them for the operator's roles, one's own for everybody else; oldest first.</summary>
internal static class ListOrganisations
{
    public static async Task<Results<Ok<Page<OrganisationView>>, ProblemHttpResult>> HandleAsync(
        [Description("Only the organisation of this slug.")] string? slug, int? limit, string? cursor, Caller caller, IdentityDb db, CancellationToken cancellationToken)
    {
        var organisations = db.Organisations.AsNoTracking();
        if (!caller.SeesEverything)
        {
            organisations = organisations.Where(o => o.Id == caller.OrganisationId);
        }

        if (slug is not null)
        {
            organisations = organisations.Where(o => o.Slug == slug);
        }

        var after = Guid.Empty;
        if (Paging.Resume(cursor, ref after) is { } invalid)
        {
            return invalid;
        }

        organisations = organisations.Where(o => o.Id > after);

        var take = Paging.Limit(limit);
        var found = await organisations.OrderBy(o => o.Id).Take(take + 1).ToListAsync(cancellationToken).ConfigureAwait(false);
        return TypedResults.Ok(Cursors.Page(found, take, OrganisationView.Of, o => o.Id));
    }
}

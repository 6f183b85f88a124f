using System.ComponentModel;
using LlmMarketplace.Identity.Access;

namespace LlmMarketplace.Identity.Clients;

/// <summary>GET /api/v1/clients: all of them for the operator's roles, those of one's organisation for everybody else; oldest first.</summary>
internal static class ListClients
{
    public static async Task<Results<Ok<Page<ClientView>>, ProblemHttpResult>> HandleAsync(
        [Description("Only this organisation's.")] Guid? organisationId, int? limit, string? cursor, Caller caller, IdentityDb db, CancellationToken cancellationToken)
    {
        var clients = db.Clients.AsNoTracking().Include(c => c.Organisation).AsQueryable();
        if (!caller.SeesEverything)
        {
            clients = clients.Where(c => c.OrganisationId == caller.OrganisationId);
        }

        if (organisationId is { } organisation)
        {
            clients = clients.Where(c => c.OrganisationId == organisation);
        }

        var after = Guid.Empty;
        if (Paging.Resume(cursor, ref after) is { } invalid)
        {
            return invalid;
        }

        clients = clients.Where(c => c.ApplicationId > after);

        var take = Paging.Limit(limit);
        var found = await clients.OrderBy(c => c.ApplicationId).Take(take + 1).ToListAsync(cancellationToken).ConfigureAwait(false);
        return TypedResults.Ok(Cursors.Page(found, take, c => View(c, c.Organisation!.Slug), c => c.ApplicationId));
    }

    public static ClientView View(MachineClient client, string organisationSlug) =>
        new(client.Id, client.Name, client.OrganisationId, organisationSlug, client.Roles, client.CreatedBy, client.CreatedAt);
}

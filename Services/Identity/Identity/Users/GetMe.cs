using LlmMarketplace.Identity.Access;
using LlmMarketplace.Identity.Organisations;

namespace LlmMarketplace.Identity.Users;

/// <summary>Who the token stands for.</summary>
/// <param name="Subject">User id, or client id of a machine client.</param>
/// <param name="Kind"><c>user</c> or <c>client</c>.</param>
/// <param name="Name">Name for people.</param>
/// <param name="Email">Address; null for a machine client.</param>
/// <param name="Organisation">The organisation that the token acts for.</param>
/// <param name="Roles">The roles in it.</param>
/// <param name="Memberships">All organisations that the person may act for; empty for a machine client.</param>
internal sealed record Me(string Subject, string Kind, string Name, string? Email, OrganisationView Organisation, IReadOnlyList<string> Roles, IReadOnlyList<MembershipView> Memberships);

/// <summary>GET /api/v1/me.</summary>
internal static class GetMe
{
    public static async Task<Results<Ok<Me>, ProblemHttpResult>> HandleAsync(Caller caller, IdentityDb db, CancellationToken cancellationToken)
    {
        var organisation = await db.Organisations.AsNoTracking().SingleAsync(o => o.Id == caller.OrganisationId, cancellationToken).ConfigureAwait(false);
        string[] roles = [.. caller.Roles.Order()];
        if (caller.UserId is not { } id)
        {
            var client = await db.Clients.AsNoTracking().SingleAsync(c => c.Id == caller.Subject, cancellationToken).ConfigureAwait(false);
            return TypedResults.Ok(new Me(client.Id, "client", client.Name, null, OrganisationView.Of(organisation), roles, []));
        }

        var user = await db.Users.AsNoTracking().SingleAsync(u => u.Id == id, cancellationToken).ConfigureAwait(false);
        var view = await UserViews.OfAsync(db, user, cancellationToken).ConfigureAwait(false);
        return TypedResults.Ok(new Me(caller.Subject, "user", view.Name, view.Email, OrganisationView.Of(organisation), roles, view.Memberships));
    }
}

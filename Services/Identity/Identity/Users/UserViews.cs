namespace LlmMarketplace.Identity.Users;

/// <summary>Users with their memberships, in two queries whatever their number.</summary>
internal static class UserViews
{
    public static async Task<IReadOnlyList<UserView>> OfAsync(IdentityDb db, IReadOnlyCollection<User> users, CancellationToken cancellationToken)
    {
        var ids = users.Select(user => user.Id).ToList();
        var memberships = await db.Memberships
            .Where(m => ids.Contains(m.UserId))
            .OrderBy(m => m.Organisation!.Slug)
            .Select(m => new { m.UserId, View = new MembershipView(m.OrganisationId, m.Organisation!.Slug, m.Roles) })
            .ToListAsync(cancellationToken).ConfigureAwait(false);
        var byUser = memberships.ToLookup(m => m.UserId, m => m.View);
        return [.. users.Select(user => new UserView(user.Id, user.Email ?? "", user.Name, user.LockedAt is not null, user.CreatedAt, [.. byUser[user.Id]]))];
    }

    public static async Task<UserView> OfAsync(IdentityDb db, User user, CancellationToken cancellationToken) =>
        (await OfAsync(db, [user], cancellationToken).ConfigureAwait(false))[0];
}

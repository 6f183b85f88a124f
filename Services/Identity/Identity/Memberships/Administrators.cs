namespace LlmMarketplace.Identity.Memberships;

/// <summary>The marketplace always has somebody who can sign in and administer it. Ask under <see cref="IdentityLock.Administrators"/>.</summary>
internal static class Administrators
{
    /// <summary>Whether a person other than <paramref name="userId"/> is an administrator and not locked.</summary>
    public static Task<bool> OtherThanAsync(IdentityDb db, Guid? userId, CancellationToken cancellationToken) => db.Memberships.AnyAsync(
        m => m.UserId != userId && m.Organisation!.IsOperator && m.User!.LockedAt == null && m.Roles.Contains(Roles.Admin),
        cancellationToken);
}

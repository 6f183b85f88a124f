namespace LlmMarketplace.Identity.Users;

/// <summary>GET /api/v1/users/{id}.</summary>
internal static class GetUser
{
    public static async Task<Results<Ok<UserView>, ProblemHttpResult>> HandleAsync(Guid id, IdentityDb db, CancellationToken cancellationToken)
    {
        var user = await db.Users.AsNoTracking().SingleOrDefaultAsync(u => u.Id == id, cancellationToken).ConfigureAwait(false);
        return user is null ? Problems.NotFound("The user") : TypedResults.Ok(await UserViews.OfAsync(db, user, cancellationToken).ConfigureAwait(false));
    }
}

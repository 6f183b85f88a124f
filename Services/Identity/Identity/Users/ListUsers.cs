using System.ComponentModel;
using LlmMarketplace.Identity.Access;
using Microsoft.AspNetCore.Identity;

namespace LlmMarketplace.Identity.Users;

/// <summary>GET /api/v1/users, oldest first; by <c>email</c> exactly, or by organisation.</summary>
internal static class ListUsers
{
    public static async Task<Results<Ok<Page<UserView>>, ProblemHttpResult>> HandleAsync(
        [Description("Only the user of this address.")] string? email, [Description("Only users with a membership there.")] Guid? organisationId, int? limit, string? cursor, IdentityDb db, ILookupNormalizer normalizer, CancellationToken cancellationToken)
    {
        var users = db.Users.AsNoTracking();
        if (email is not null)
        {
            var normalized = normalizer.NormalizeEmail(email);
            users = users.Where(u => u.NormalizedEmail == normalized);
        }

        if (organisationId is { } organisation)
        {
            users = users.Where(u => db.Memberships.Any(m => m.UserId == u.Id && m.OrganisationId == organisation));
        }

        var after = Guid.Empty;
        if (Paging.Resume(cursor, ref after) is { } invalid)
        {
            return invalid;
        }

        users = users.Where(u => u.Id > after);

        var take = Paging.Limit(limit);
        var found = await users.OrderBy(u => u.Id).Take(take + 1).ToListAsync(cancellationToken).ConfigureAwait(false);
        var views = await UserViews.OfAsync(db, found, cancellationToken).ConfigureAwait(false);
        return TypedResults.Ok(Cursors.Page([.. views], take, view => view, view => view.Id));
    }
}

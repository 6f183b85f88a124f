using System.Security.Claims;

namespace LlmMarketplace.Identity.Access;

/// <summary>Who calls, and with which roles at this moment. Scoped; filled by <see cref="Standing"/> before a handler runs.</summary>
internal sealed class Caller
{
    /// <summary>User id or client id.</summary>
    public string Subject { get; private set; } = "";

    /// <summary>The user's id; null for a machine client.</summary>
    public Guid? UserId { get; private set; }

    public Guid OrganisationId { get; private set; }

    public IReadOnlySet<string> Roles { get; private set; } = new HashSet<string>();

    public bool IsAdministrator => Roles.Contains(Contracts.Roles.Admin);

    /// <summary>Sees all organisations, users and clients.</summary>
    public bool SeesEverything => Roles.Overlaps(Contracts.Roles.OfOperator);

    public void Is(ClaimsPrincipal principal, Guid? userId, IReadOnlySet<string> roles)
    {
        Subject = principal.Subject();
        UserId = userId;
        OrganisationId = principal.OrganisationId();
        Roles = roles;
    }
}

/// <summary>
/// A token lives 10 minutes, and who gives out rights must not do so with rights that were taken back: the caller's account, organisation and roles
/// are looked up for each call of the management API.
/// </summary>
internal static class Standing
{
    /// <summary>Lets those through whose token and present state have one of <paramref name="roles"/>; anybody in good standing when none is named.</summary>
    public static RouteGroupBuilder RequireStanding(this RouteGroupBuilder group, params string[] roles)
    {
        group.RequireAuthorization();
        group.ProducesProblem(StatusCodes.Status400BadRequest).ProducesProblem(StatusCodes.Status401Unauthorized).ProducesProblem(StatusCodes.Status403Forbidden);
        group.AddEndpointFilter(async (invocation, next) =>
        {
            var context = invocation.HttpContext;
            var db = context.RequestServices.GetRequiredService<IdentityDb>();
            if (await PresentRolesAsync(db, context.User, context.RequestAborted).ConfigureAwait(false) is not { } present)
            {
                return Refusal.AccessWithdrawn.ToProblem();
            }

            var held = present.Roles.Where(context.User.IsInRole).ToHashSet();
            if (roles.Length > 0 && !held.Overlaps(roles))
            {
                return roles.Any(context.User.IsInRole) ? Refusal.AccessWithdrawn.ToProblem() : Refusal.RoleRequired.ToProblem();
            }

            context.RequestServices.GetRequiredService<Caller>().Is(context.User, present.UserId, held);
            return await next(invocation).ConfigureAwait(false);
        });
        return group;
    }

    private static async Task<(Guid? UserId, string[] Roles)?> PresentRolesAsync(IdentityDb db, ClaimsPrincipal token, CancellationToken cancellationToken)
    {
        var organisation = token.OrganisationId();
        if (Guid.TryParse(token.Subject(), out var user))
        {
            var roles = await db.Memberships
                .Where(m => m.UserId == user && m.OrganisationId == organisation && m.User!.LockedAt == null && m.Organisation!.Status == OrganisationStatus.Active)
                .Select(m => m.Roles)
                .SingleOrDefaultAsync(cancellationToken).ConfigureAwait(false);
            return roles is null ? null : (user, roles);
        }

        var client = token.Subject();
        var given = await db.Clients
            .Where(c => c.Id == client && c.OrganisationId == organisation && c.Organisation!.Status == OrganisationStatus.Active)
            .Select(c => c.Roles)
            .SingleOrDefaultAsync(cancellationToken).ConfigureAwait(false);
        return given is null ? null : (null, given);
    }
}

using System.ComponentModel.DataAnnotations;
using LlmMarketplace.Identity.Access;
using LlmMarketplace.Identity.Users;

namespace LlmMarketplace.Identity.Memberships;

/// <summary>All roles that the person shall have in the organisation.</summary>
/// <param name="Roles">One or more; admin, approver and auditor only in the operator's organisation.</param>
internal sealed record GivenRoles([property: Required] IReadOnlyList<string>? Roles);

/// <summary>PUT /api/v1/users/{id}/memberships/{organisationId}. Idempotent. Nobody gives to themselves.</summary>
internal static partial class PutMembership
{
    public static async Task<Results<Ok<MembershipView>, ProblemHttpResult>> HandleAsync(
        Guid id, Guid organisationId, GivenRoles request, Caller caller, IdentityDb db, ILoggerFactory loggers, CancellationToken cancellationToken)
    {
        if (Checks.Refuse(Checks.GivenRoles(request.Roles)) is { } invalid)
        {
            return invalid;
        }

        if (caller.UserId == id)
        {
            return Refusal.SelfChange.ToProblem();
        }

        await using var transaction = await db.Database.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
        await db.Database.LockAsync(IdentityLock.Administrators, cancellationToken).ConfigureAwait(false);
        var organisation = await db.Organisations.SingleOrDefaultAsync(o => o.Id == organisationId, cancellationToken).ConfigureAwait(false);
        if (organisation is null)
        {
            return Problems.NotFound("The organisation");
        }

        if (!await db.Users.AnyAsync(u => u.Id == id, cancellationToken).ConfigureAwait(false))
        {
            return Problems.NotFound("The user");
        }

        string[] roles = [.. request.Roles!.Distinct().Order()];
        if (!organisation.IsOperator && roles.Any(Roles.OfOperator.Contains))
        {
            return Refusal.OperatorRolesElsewhere.ToProblem();
        }

        var membership = await db.Memberships.SingleOrDefaultAsync(m => m.UserId == id && m.OrganisationId == organisationId, cancellationToken).ConfigureAwait(false);
        if (membership is null)
        {
            db.Memberships.Add(new Membership { UserId = id, OrganisationId = organisationId, Roles = roles });
        }
        else
        {
            if (membership.Roles.Contains(Roles.Admin) && !roles.Contains(Roles.Admin) && !await Administrators.OtherThanAsync(db, id, cancellationToken).ConfigureAwait(false))
            {
                return Refusal.LastAdministrator.ToProblem();
            }

            membership.Roles = roles;
        }

        await db.SaveChangesAsync(cancellationToken).ConfigureAwait(false);
        await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
        Log.Given(loggers.CreateLogger(typeof(PutMembership)), id, organisation.Slug, string.Join(' ', roles), caller.Subject);
        return TypedResults.Ok(new MembershipView(organisationId, organisation.Slug, roles));
    }

    private static partial class Log
    {
        [LoggerMessage(4221, LogLevel.Information, "The user {UserId} holds in {Organisation} the roles {Roles}; given by {By}.")]
        public static partial void Given(ILogger logger, Guid userId, string organisation, string roles, string by);
    }
}

using LlmMarketplace.Identity.Access;

namespace LlmMarketplace.Identity.Memberships;

/// <summary>DELETE /api/v1/users/{id}/memberships/{organisationId}. Idempotent.</summary>
internal static partial class DeleteMembership
{
    public static async Task<Results<NoContent, ProblemHttpResult>> HandleAsync(
        Guid id, Guid organisationId, Caller caller, IdentityDb db, ILoggerFactory loggers, CancellationToken cancellationToken)
    {
        if (caller.UserId == id)
        {
            return Refusal.SelfChange.ToProblem();
        }

        await using var transaction = await db.Database.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
        await db.Database.LockAsync(IdentityLock.Administrators, cancellationToken).ConfigureAwait(false);
        var membership = await db.Memberships.SingleOrDefaultAsync(m => m.UserId == id && m.OrganisationId == organisationId, cancellationToken).ConfigureAwait(false);
        if (membership is null)
        {
            return TypedResults.NoContent();
        }

        if (membership.Roles.Contains(Roles.Admin) && !await Administrators.OtherThanAsync(db, id, cancellationToken).ConfigureAwait(false))
        {
            return Refusal.LastAdministrator.ToProblem();
        }

        db.Memberships.Remove(membership);
        await db.SaveChangesAsync(cancellationToken).ConfigureAwait(false);
        await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
        Log.Taken(loggers.CreateLogger(typeof(DeleteMembership)), id, organisationId, caller.Subject);
        return TypedResults.NoContent();
    }

    private static partial class Log
    {
        [LoggerMessage(4231, LogLevel.Information, "The user {UserId} is no longer a member of {OrganisationId}; removed by {By}.")]
        public static partial void Taken(ILogger logger, Guid userId, Guid organisationId, string by);
    }
}

using LlmMarketplace.Identity.Access;
using OpenIddict.Abstractions;

namespace LlmMarketplace.Identity.Clients;

/// <summary>DELETE /api/v1/clients/{id}.</summary>
internal static partial class DeleteClient
{
    public static async Task<Results<NoContent, ProblemHttpResult>> HandleAsync(
        string id, Caller caller, IdentityDb db, IOpenIddictApplicationManager applications, ILoggerFactory loggers, CancellationToken cancellationToken)
    {
        var client = await db.Clients.AsNoTracking().SingleOrDefaultAsync(c => c.Id == id, cancellationToken).ConfigureAwait(false);
        if (client is null || !ClientRules.MayManage(caller, client))
        {
            return Problems.NotFound("The client");
        }

        if (client.CreatedBy == ClientRules.Configuration)
        {
            return Refusal.ClientOfConfiguration.ToProblem();
        }

        if (await applications.FindByIdAsync(client.ApplicationId.ToString(), cancellationToken).ConfigureAwait(false) is { } application)
        {
            await applications.DeleteAsync(application, cancellationToken).ConfigureAwait(false); // The client goes with it, by its foreign key.
        }

        Log.Deleted(loggers.CreateLogger(typeof(DeleteClient)), id, caller.Subject);
        return TypedResults.NoContent();
    }

    private static partial class Log
    {
        [LoggerMessage(4261, LogLevel.Information, "The machine client {ClientId} was deleted by {By}.")]
        public static partial void Deleted(ILogger logger, string clientId, string by);
    }
}

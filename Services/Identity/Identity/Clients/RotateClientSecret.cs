using LlmMarketplace.Identity.Access;
using OpenIddict.Abstractions;

namespace LlmMarketplace.Identity.Clients;

/// <summary>POST /api/v1/clients/{id}/secret: a new secret, shown once; the old one is worth nothing from then on.</summary>
internal static partial class RotateClientSecret
{
    public static async Task<Results<Ok<ClientWithSecret>, ProblemHttpResult>> HandleAsync(
        string id, HttpResponse response, Caller caller, IdentityDb db, IOpenIddictApplicationManager applications, ILoggerFactory loggers, CancellationToken cancellationToken)
    {
        var client = await db.Clients.Include(c => c.Organisation).SingleOrDefaultAsync(c => c.Id == id, cancellationToken).ConfigureAwait(false);
        if (client is null || !ClientRules.MayManage(caller, client))
        {
            return Problems.NotFound("The client");
        }

        if (client.CreatedBy == ClientRules.Configuration)
        {
            return Refusal.ClientOfConfiguration.ToProblem();
        }

        var application = await applications.FindByIdAsync(client.ApplicationId.ToString(), cancellationToken).ConfigureAwait(false)
            ?? throw new InvalidOperationException("A client without its application: the foreign key forbids it.");
        var secret = ClientRules.NewSecret();
        await applications.UpdateAsync(application, ClientRules.Descriptor(id, client.Name, secret, MarketplaceTokens.Scope), cancellationToken).ConfigureAwait(false);
        Log.Rotated(loggers.CreateLogger(typeof(RotateClientSecret)), id, caller.Subject);
        response.Headers.CacheControl = "no-store";
        return TypedResults.Ok(new ClientWithSecret(ListClients.View(client, client.Organisation!.Slug), secret));
    }

    private static partial class Log
    {
        [LoggerMessage(4251, LogLevel.Information, "The secret of the machine client {ClientId} was rotated by {By}.")]
        public static partial void Rotated(ILogger logger, string clientId, string by);
    }
}

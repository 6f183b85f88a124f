using System.ComponentModel.DataAnnotations;
using LlmMarketplace.Identity.Access;
using LlmMarketplace.Identity.Organisations;
using OpenIddict.Abstractions;

namespace LlmMarketplace.Identity.Clients;

/// <summary>A new machine client.</summary>
/// <param name="Name">Name for people.</param>
/// <param name="OrganisationId">The organisation that it acts for; the caller's when not said, and another's only by an administrator.</param>
/// <param name="Roles">What it may do there: for an administrator any role that the organisation can hold, for everybody else roles of their own.</param>
internal sealed record NewClient([property: Required] string? Name, Guid? OrganisationId, [property: Required] IReadOnlyList<string>? Roles);

/// <summary>POST /api/v1/clients. The answer is the only place where the secret stands.</summary>
internal static partial class CreateClient
{
    public static async Task<Results<Created<ClientWithSecret>, ProblemHttpResult>> HandleAsync(
        NewClient request, HttpResponse response, Caller caller, IdentityDb db, IOpenIddictApplicationManager applications, TimeProvider time, ILoggerFactory loggers, CancellationToken cancellationToken)
    {
        if (Checks.Refuse(Checks.Name(request.Name), Checks.GivenRoles(request.Roles)) is { } invalid)
        {
            return invalid;
        }

        if (!caller.IsAdministrator && caller.UserId is null)
        {
            return Refusal.NotAPerson.ToProblem(); // A stolen secret must not be able to make others.
        }

        var organisationId = request.OrganisationId ?? caller.OrganisationId;
        var organisation = caller.IsAdministrator || organisationId == caller.OrganisationId
            ? await db.Organisations.SingleOrDefaultAsync(o => o.Id == organisationId, cancellationToken).ConfigureAwait(false)
            : null;
        if (organisation is null)
        {
            return Problems.NotFound("The organisation");
        }

        string[] roles = [.. request.Roles!.Distinct().Order()];
        if (!organisation.IsOperator && roles.Any(Roles.OfOperator.Contains))
        {
            return Refusal.OperatorRolesElsewhere.ToProblem();
        }

        if (!caller.IsAdministrator && !roles.All(caller.Roles.Contains))
        {
            return Refusal.RoleNotYours.ToProblem();
        }

        var now = time.GetUtcNow();
        var id = $"client-{Guid.CreateVersion7(now):N}";
        var secret = ClientRules.NewSecret();
        var client = await AddAsync(db, applications, id, request.Name!.Trim(), secret, organisation, roles, caller.Subject, now, cancellationToken).ConfigureAwait(false);
        Log.Made(loggers.CreateLogger(typeof(CreateClient)), id, organisation.Slug, string.Join(' ', roles), caller.Subject);
        response.Headers.CacheControl = "no-store";
        return TypedResults.Created($"/api/v1/clients/{id}", new ClientWithSecret(ListClients.View(client, organisation.Slug), secret));
    }

    /// <summary>Stores the client and its OpenIddict application together.</summary>
    public static async Task<MachineClient> AddAsync(
        IdentityDb db, IOpenIddictApplicationManager applications, string id, string name, string secret, Organisation organisation, string[] roles, string by, DateTimeOffset now, CancellationToken cancellationToken)
    {
        await using var transaction = db.Database.CurrentTransaction is null ? await db.Database.BeginTransactionAsync(cancellationToken).ConfigureAwait(false) : null;
        var application = await applications.CreateAsync(ClientRules.Descriptor(id, name, secret, MarketplaceTokens.Scope), cancellationToken).ConfigureAwait(false);
        var client = new MachineClient
        {
            Id = id,
            ApplicationId = Guid.Parse((await applications.GetIdAsync(application, cancellationToken).ConfigureAwait(false))!),
            OrganisationId = organisation.Id,
            Name = name,
            Roles = roles,
            CreatedBy = by,
            CreatedAt = now,
        };
        db.Clients.Add(client);
        await db.SaveChangesAsync(cancellationToken).ConfigureAwait(false);
        if (transaction is not null)
        {
            await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
        }

        return client;
    }

    private static partial class Log
    {
        [LoggerMessage(4241, LogLevel.Information, "The machine client {ClientId} of {Organisation} holds the roles {Roles}; made by {By}.")]
        public static partial void Made(ILogger logger, string clientId, string organisation, string roles, string by);
    }
}

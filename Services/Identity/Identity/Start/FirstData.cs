using LlmMarketplace.Identity.Access;
using LlmMarketplace.Identity.Keys;
using LlmMarketplace.Identity.Memberships;
using LlmMarketplace.Identity.Organisations;
using LlmMarketplace.Identity.Users;
using LlmMarketplace.Messaging;
using Microsoft.AspNetCore.Identity;
using Microsoft.Extensions.Hosting;
using Npgsql;

namespace LlmMarketplace.Identity.Start;

/// <summary>
/// Before the first request: 1. the keys; 2. in one transaction the operator's organisation, an administrator, and the clients that configuration names.
/// Idempotent, and safe from several instances at once.
/// </summary>
internal sealed class FirstDataAtStart(KeyRotation keys, IServiceScopeFactory scopes) : IHostedLifecycleService
{
    public async Task StartingAsync(CancellationToken cancellationToken)
    {
        try
        {
            await keys.RunOnceAsync(cancellationToken).ConfigureAwait(false);
            await using var scope = scopes.CreateAsyncScope();
            await scope.ServiceProvider.GetRequiredService<FirstData>().EnsureAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.UndefinedTable or PostgresErrorCodes.UndefinedColumn)
        {
            throw new InvalidOperationException("The database 'identity' is not migrated: run Identity.Host --migrate first.", e);
        }
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}

/// <summary>What must be there before anybody can do anything.</summary>
internal sealed partial class FirstData(
    IdentityDb db, ConfiguredClients clients, UserManager<User> users, Outbox outbox, IOptions<IssuerOptions> options, TimeProvider time, ILogger<FirstData> logger)
{
    private const string AdministratorMissing =
        "There is no administrator yet. Set Identity:Administrator:Email and Identity:Administrator:Password (environment: Identity__Administrator__Email, Identity__Administrator__Password) and start again; ";

    public async Task EnsureAsync(CancellationToken cancellationToken)
    {
        await using var transaction = await db.Database.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
        await db.Database.LockAsync(IdentityLock.Start, cancellationToken).ConfigureAwait(false);
        var marketplace = await EnsureOperatorAsync(cancellationToken).ConfigureAwait(false);
        if (!await Administrators.OtherThanAsync(db, null, cancellationToken).ConfigureAwait(false))
        {
            await AddAdministratorAsync(marketplace, cancellationToken).ConfigureAwait(false);
        }

        await clients.EnsureAsync(marketplace, cancellationToken).ConfigureAwait(false);
        await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
    }

    private async Task<Organisation> EnsureOperatorAsync(CancellationToken cancellationToken)
    {
        if (await db.Organisations.SingleOrDefaultAsync(o => o.IsOperator, cancellationToken).ConfigureAwait(false) is { } present)
        {
            return present;
        }

        var now = time.GetUtcNow();
        var organisation = new Organisation
        {
            Id = Guid.CreateVersion7(now),
            Slug = Organisation.OperatorSlug,
            Name = "Marketplace operator",
            Clearance = ComplianceLevel.Restricted,
            Tier = OrganisationTier.Enterprise,
            IsOperator = true,
            CreatedAt = now,
        };
        db.Organisations.Add(organisation);
        outbox.Add(db, organisation.Id, organisation.Version, organisation.ToEvent());
        await db.SaveChangesAsync(cancellationToken).ConfigureAwait(false);
        return organisation;
    }

    private async Task AddAdministratorAsync(Organisation marketplace, CancellationToken cancellationToken)
    {
        var (email, password) = (options.Value.Administrator.Email, options.Value.Administrator.Password);
        foreach (var issue in new[] { Checks.Email(email), Checks.Password(password) })
        {
            if (issue is not null)
            {
                throw new InvalidOperationException(AdministratorMissing + issue.Message);
            }
        }

        var user = await users.FindByEmailAsync(email!).ConfigureAwait(false);
        if (user is null)
        {
            user = CreateUser.Make(email!, "Administrator", time.GetUtcNow());
            var made = await users.CreateAsync(user, password!).ConfigureAwait(false);
            if (!made.Succeeded)
            {
                throw new InvalidOperationException(AdministratorMissing + string.Join(" ", made.Errors.Select(error => error.Description)));
            }
        }

        db.Memberships.Add(new Membership { UserId = user.Id, OrganisationId = marketplace.Id, Roles = [Roles.Admin] });
        await db.SaveChangesAsync(cancellationToken).ConfigureAwait(false);
        Log.Administrator(logger, user.Id);
    }

    private static partial class Log
    {
        [LoggerMessage(4001, LogLevel.Information, "Made the user {UserId} the first administrator, as the settings say.")]
        public static partial void Administrator(ILogger logger, Guid userId);
    }
}

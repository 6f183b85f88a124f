using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace LlmMarketplace.Storage;

/// <summary>
/// What <c>X.Host --migrate</c> and the all-in-one do before a service starts, as the database's owner:
/// 1. one migrator at a time (advisory lock); 2. the libraries' schemas; 3. the service's EF migrations;
/// 4. the DML-only role of <c>ConnectionStrings:{name}</c> and its grants.
/// </summary>
public static partial class DatabaseMigrator
{
    private const long MigrationLock = 0x4C4C4D5F4D494752; // "LLM_MIGR"

    /// <summary>Migrates every database that the application declared. Idempotent; safe to run from several processes.</summary>
    /// <exception cref="InvalidOperationException">A connection string is missing; the message names the setting.</exception>
    public static async Task MigrateDatabasesAsync(this IServiceProvider services, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(services);
        var configuration = services.GetRequiredService<IConfiguration>();
        var logger = services.GetRequiredService<ILoggerFactory>().CreateLogger(typeof(DatabaseMigrator));
        foreach (var database in services.GetServices<DatabaseDeclaration>())
        {
            var owner = ServiceDatabase.ConnectionString(configuration, $"{database.Name}-owner");
            var application = ServiceDatabase.ConnectionString(configuration, database.Name);
            await MigrateAsync(services, database, owner, application, cancellationToken).ConfigureAwait(false);
            Log.Migrated(logger, database.Name);
        }
    }

    private static async Task MigrateAsync(IServiceProvider services, DatabaseDeclaration database, string ownerConnection, string applicationConnection, CancellationToken cancellationToken)
    {
        await using var owner = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(ownerConnection) { Pooling = false });
        await using var connection = await owner.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        await ExecuteAsync(connection, $"SELECT pg_advisory_lock({MigrationLock})", cancellationToken).ConfigureAwait(false);

        var schemas = services.GetServices<IDatabaseSchema>().ToList();
        foreach (var schema in schemas)
        {
            await using var transaction = await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
            await schema.ApplyAsync(connection, cancellationToken).ConfigureAwait(false);
            await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
        }

        await using (var context = CreateContext(services, database, ownerConnection))
        {
            await context.Database.MigrateAsync(cancellationToken).ConfigureAwait(false);
        }

        await GrantAsync(connection, applicationConnection, ["public", .. schemas.Select(schema => schema.Schema).Distinct()], cancellationToken).ConfigureAwait(false);
    }

    private static DbContext CreateContext(IServiceProvider services, DatabaseDeclaration database, string ownerConnection)
    {
        var optionsType = typeof(DbContextOptionsBuilder<>).MakeGenericType(database.Context);
        var options = (DbContextOptionsBuilder)Activator.CreateInstance(optionsType)!;
        options.UseNpgsql(new NpgsqlConnectionStringBuilder(ownerConnection) { Pooling = false }.ConnectionString);
        ServiceDatabase.Conventions(options, database.Configure);
        return (DbContext)ActivatorUtilities.CreateInstance(services, database.Context, options.Options);
    }

    private static async Task GrantAsync(NpgsqlConnection owner, string applicationConnection, string[] schemas, CancellationToken cancellationToken)
    {
        var application = new NpgsqlConnectionStringBuilder(applicationConnection);
        if (application.Username is not { Length: > 0 } role || role == new NpgsqlConnectionStringBuilder(owner.ConnectionString).Username)
        {
            return; // The operator runs the service as the owner: nothing to grant.
        }

        await EnsureRoleAsync(owner, role, application.Password, cancellationToken).ConfigureAwait(false);
        var quoted = new NpgsqlCommandBuilder().QuoteIdentifier(role);
        await ExecuteAsync(owner, $"GRANT CONNECT ON DATABASE {new NpgsqlCommandBuilder().QuoteIdentifier(owner.Database!)} TO {quoted}", cancellationToken).ConfigureAwait(false);
        foreach (var schema in schemas)
        {
            await ExecuteAsync(
                owner,
                $"""
                 GRANT USAGE ON SCHEMA {schema} TO {quoted};
                 GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {quoted};
                 GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO {quoted};
                 """,
                cancellationToken).ConfigureAwait(false);
        }
    }

    private static async Task EnsureRoleAsync(NpgsqlConnection owner, string role, string? password, CancellationToken cancellationToken)
    {
        await using var exists = new NpgsqlCommand("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", owner) { Parameters = { new() { Value = role } } };
        if (await exists.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) is true)
        {
            return;
        }

        // Utility statements take no parameters: let the server quote what it is given.
        await using var statement = new NpgsqlCommand("SELECT format('CREATE ROLE %I LOGIN PASSWORD %L', $1::text, $2::text)", owner)
        {
            Parameters = { new() { Value = role }, new() { Value = password ?? "" } },
        };
        await ExecuteAsync(owner, (string)(await statement.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false))!, cancellationToken).ConfigureAwait(false);
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }

    private static partial class Log
    {
        [LoggerMessage(2001, LogLevel.Information, "The database {Database} is up to date.")]
        public static partial void Migrated(ILogger logger, string database);
    }
}

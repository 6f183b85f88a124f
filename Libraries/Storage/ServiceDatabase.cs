using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Npgsql;

namespace LlmMarketplace.Storage;

/// <summary>
/// A service owns one database, reached as its DML-only role (<c>ConnectionStrings:{name}</c>); only migrations
/// run as the owner (<c>ConnectionStrings:{name}-owner</c>).
/// </summary>
public static class ServiceDatabase
{
    /// <summary>
    /// Registers the service's <see cref="NpgsqlDataSource"/> and its <typeparamref name="TContext"/>: no context pooling and no
    /// retrying strategy, because transactions here span the change, its events and the consumer's position.
    /// </summary>
    /// <param name="builder">The service's builder.</param>
    /// <param name="name">The database's and connection string's name, for instance <c>publishing</c>.</param>
    /// <param name="configure">What else the context needs, for migrations and at work alike.</param>
    public static void AddServiceDatabase<TContext>(this IHostApplicationBuilder builder, string name, Action<DbContextOptionsBuilder>? configure = null)
        where TContext : DbContext
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.AddSingleton(new DatabaseDeclaration(name, typeof(TContext), configure));
        builder.Services.AddSingleton(services =>
        {
            var source = new NpgsqlDataSourceBuilder(ConnectionString(services.GetRequiredService<IConfiguration>(), name));
            source.UseLoggerFactory(services.GetService<Microsoft.Extensions.Logging.ILoggerFactory>());
            return source.Build();
        });
        builder.Services.AddDbContext<TContext>((services, options) =>
        {
            options.UseNpgsql(services.GetRequiredService<NpgsqlDataSource>());
            Conventions(options, configure);
        });
        builder.Services.AddSingleton<MigratedHealthCheck<TContext>>();
        builder.Services.AddHealthChecks().AddCheck<MigratedHealthCheck<TContext>>($"{name}-migrated", tags: ["ready"]);
    }

    internal static void Conventions(DbContextOptionsBuilder options, Action<DbContextOptionsBuilder>? configure)
    {
        options.UseSnakeCaseNamingConvention();
        configure?.Invoke(options);
    }

    internal static string ConnectionString(IConfiguration configuration, string name) =>
        configuration.GetConnectionString(name) is { Length: > 0 } found
            ? found
            : throw new InvalidOperationException($"ConnectionStrings:{name} is not set. Set it to the address of the database '{name}', for instance by the environment variable ConnectionStrings__{name}.");
}

/// <summary>A database that a service declared.</summary>
/// <param name="Name">Its name, and its connection string's.</param>
/// <param name="Context">The type of its context.</param>
/// <param name="Configure">What the context needs besides the conventions.</param>
public sealed record DatabaseDeclaration(string Name, Type Context, Action<DbContextOptionsBuilder>? Configure);

/// <summary>Tables that a library keeps in every service's database, outside the service's own EF model; applied before its migrations.</summary>
public interface IDatabaseSchema
{
    /// <summary>Brings the schema up to date; idempotent. Runs as the owner, inside a transaction.</summary>
    Task ApplyAsync(NpgsqlConnection owner, CancellationToken cancellationToken);

    /// <summary>The PostgreSQL schema, for the grants.</summary>
    string Schema { get; }
}

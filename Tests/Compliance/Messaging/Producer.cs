using LlmMarketplace.Messaging;
using LlmMarketplace.Servers;
using LlmMarketplace.Storage;
using Microsoft.AspNetCore.Hosting;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace LlmMarketplace.Compliance.Messaging;

/// <summary>A service that publishes things.</summary>
internal sealed class Producer : IAsyncDisposable
{
    public const string Name = "publishing";
    public const string Type = "marketplace.thing.changed.v1";
    private readonly TestService service;

    private Producer(TestService service) => this.service = service;

    public TestService Service => service;

    public static async Task<Producer> StartAsync(World world, string? address = null) => new(await TestService.StartAsync(
        Name,
        world.Identity,
        world.ProducerDatabase,
        builder =>
        {
            builder.WebHost.UseUrls(address ?? world.ProducerAddress);
            builder.Services.AddSingleton<IDatabaseSchema, ThingsSchema>();
            builder.AddServiceDatabase<ProducerDb>(Name, WithoutMigrations);
            builder.AddMessaging<ProducerDb>(Name).Publishes<ThingChanged>(world.Topic, Type, world.Kind);
        },
        app => app.MapMessaging(),
        world.Settings));

    /// <summary>Changes a thing and tells of it, as one transaction; rolls back when asked to.</summary>
    public async Task<ThingChanged> ChangeAsync(Guid id, string text = "", bool rollBack = false)
    {
        await using var scope = service.App.Services.CreateAsyncScope();
        var database = scope.ServiceProvider.GetRequiredService<ProducerDb>();
        await using var transaction = await database.Database.BeginTransactionAsync();
        var version = await database.Database
            .SqlQuery<long>($"INSERT INTO things.things AS t VALUES ({id}, 1) ON CONFLICT (id) DO UPDATE SET version = t.version + 1 RETURNING version AS \"Value\"")
            .ToListAsync();
        var changed = new ThingChanged(id, version.Single(), text);
        scope.ServiceProvider.GetRequiredService<Outbox>().Add(database, id, changed.Version, changed);
        await database.SaveChangesAsync();
        await (rollBack ? transaction.RollbackAsync() : transaction.CommitAsync());
        return changed;
    }

    /// <summary>Puts an event into the outbox as a careless or newer release might.</summary>
    public async Task PublishRawAsync(World world, Guid id, long version, string type, string json)
    {
        await using var command = service.App.Services.GetRequiredService<NpgsqlDataSource>().CreateCommand(
            "INSERT INTO messaging.outbox (id, topic, key, aggregate_version, type, data, time) VALUES ($1, $2, $3, $4, $5, $6::json, now())");
        command.Parameters.AddRange(new NpgsqlParameter[] { new() { Value = Guid.CreateVersion7() }, new() { Value = world.Topic }, new() { Value = id }, new() { Value = version }, new() { Value = type }, new() { Value = json } });
        await command.ExecuteNonQueryAsync();
    }

    public ValueTask DisposeAsync() => service.DisposeAsync();

    internal static void WithoutMigrations(DbContextOptionsBuilder options) =>
        options.ConfigureWarnings(warnings => warnings.Ignore(RelationalEventId.PendingModelChangesWarning));
}

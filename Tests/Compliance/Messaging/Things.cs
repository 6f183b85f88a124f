using LlmMarketplace.Messaging;
using LlmMarketplace.Storage;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace LlmMarketplace.Compliance.Messaging;

/// <summary>The event of these tests: the full state of a thing.</summary>
public sealed record ThingChanged(Guid Id, long Version, string Text);

internal sealed class ProducerDb(DbContextOptions<ProducerDb> options) : DbContext(options)
{
    protected override void OnModelCreating(ModelBuilder modelBuilder) => modelBuilder.AddOutbox();
}

internal sealed class ConsumerDb(DbContextOptions<ConsumerDb> options) : DbContext(options);

/// <summary>The tables of both sides. Nothing in <c>applied</c> prevents a second row for one event: tests count.</summary>
internal sealed class ThingsSchema : IDatabaseSchema
{
    public string Schema => "things";

    public async Task ApplyAsync(NpgsqlConnection owner, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(
            """
            CREATE SCHEMA IF NOT EXISTS things;
            CREATE TABLE IF NOT EXISTS things.things (id uuid PRIMARY KEY, version bigint NOT NULL);
            CREATE TABLE IF NOT EXISTS things.applied (place bigint GENERATED ALWAYS AS IDENTITY, id uuid NOT NULL, version bigint NOT NULL, text text NOT NULL);
            """,
            owner);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }
}

/// <summary>What the tests can make the handler do.</summary>
internal sealed class Behaviour
{
    /// <summary>Called before each effect.</summary>
    public Func<ThingChanged, Task> Before { get; set; } = _ => Task.CompletedTask;
}

internal sealed class ThingHandler(ConsumerDb database, Behaviour behaviour) : IEventHandler<ThingChanged>
{
    public async Task HandleAsync(ThingChanged data, EventContext context, CancellationToken cancellationToken)
    {
        await behaviour.Before(data);
        await database.Database.ExecuteSqlAsync($"INSERT INTO things.applied (id, version, text) VALUES ({data.Id}, {data.Version}, {data.Text})", cancellationToken);
    }
}

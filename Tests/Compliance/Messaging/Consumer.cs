using LlmMarketplace.Messaging;
using LlmMarketplace.Servers;
using LlmMarketplace.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace LlmMarketplace.Compliance.Messaging;

/// <summary>A service that follows things.</summary>
internal sealed class Consumer : IAsyncDisposable
{
    private readonly TestService service;

    private Consumer(TestService service, Behaviour behaviour) => (this.service, Behaviour) = (service, behaviour);

    public TestService Service => service;

    public Behaviour Behaviour { get; }

    public static async Task<Consumer> StartAsync(World world, Func<ThingChanged, Task>? before = null, TestDatabase? database = null)
    {
        var behaviour = new Behaviour();
        behaviour.Before = before ?? behaviour.Before;
        return new(
            await TestService.StartAsync(
                world.ConsumerName,
                world.Identity,
                database ?? world.ConsumerDatabase,
                builder =>
                {
                    builder.Services.AddSingleton(behaviour);
                    builder.Services.AddSingleton<IDatabaseSchema, ThingsSchema>();
                    builder.AddServiceDatabase<ConsumerDb>(world.ConsumerName, Producer.WithoutMigrations);
                    builder.AddMessaging<ConsumerDb>(world.ConsumerName).Consumes<ThingChanged, ThingHandler>(Producer.Name, world.Topic, Producer.Type, world.Kind);
                },
                app => app.MapMessaging(),
                world.Settings),
            behaviour);
    }

    public ValueTask DisposeAsync() => service.DisposeAsync();
}

using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using LlmMarketplace.Messaging;
using LlmMarketplace.Servers;
using LlmMarketplace.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace LlmMarketplace.Compliance.Messaging;

/// <summary>A service that follows things.</summary>
internal sealed class Consumer : IAsyncDisposable
{
    private readonly TestService service;
    private readonly HttpClient administrator;
    private readonly string deadLetters;

    private Consumer(string name, TestService service, Behaviour behaviour, TestIdentity identity)
    {
        (this.service, Behaviour) = (service, behaviour);
        administrator = service.ClientWith(identity.Token(Guid.CreateVersion7(), "operator", ["admin"]));
        deadLetters = $"/api/v1/operations/{name}/dead-letters";
    }

    public TestService Service => service;

    public Behaviour Behaviour { get; }

    public static async Task<Consumer> StartAsync(World world, Func<ThingChanged, Task>? before = null, TestDatabase? database = null, string? name = null)
    {
        name ??= world.ConsumerName;
        var behaviour = new Behaviour();
        behaviour.Before = before ?? behaviour.Before;
        return new(
            name,
            await TestService.StartAsync(
                name,
                world.Identity,
                database ?? world.ConsumerDatabase,
                builder =>
                {
                    builder.Services.AddSingleton(behaviour);
                    builder.Services.AddSingleton<IDatabaseSchema, ThingsSchema>();
                    builder.AddServiceDatabase<ConsumerDb>(name, Producer.WithoutMigrations);
                    builder.AddMessaging<ConsumerDb>(name).Consumes<ThingChanged, ThingHandler>(Producer.Name, world.Topic, Producer.Type, world.Kind);
                },
                app => app.MapMessaging(),
                world.Settings),
            behaviour,
            world.Identity);
    }

    /// <summary>The open dead letters, once there are as many.</summary>
    public async Task<List<JsonObject>> DeadLettersAsync(int count = 0)
    {
        List<JsonObject> letters = [];
        await World.UntilAsync(
            async () =>
            {
                var page = await administrator.GetFromJsonAsync<JsonObject>(deadLetters);
                letters = [.. page!["items"]!.AsArray().Select(item => item!.AsObject())];
                return letters.Count >= count;
            },
            () => $"{letters.Count} of {count} dead letters were there");
        return letters;
    }

    /// <summary>Tries a dead letter again; the answer's status and body.</summary>
    public async Task<(HttpStatusCode Status, JsonObject Body)> RetryAsync(JsonObject letter)
    {
        using var answer = await administrator.PostAsync($"{deadLetters}/{letter["id"]}/retry", null);
        return (answer.StatusCode, (await answer.Content.ReadFromJsonAsync<JsonObject>())!);
    }

    public async ValueTask DisposeAsync()
    {
        administrator.Dispose();
        await service.DisposeAsync();
    }
}

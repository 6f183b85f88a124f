using LlmMarketplace.Servers;

namespace LlmMarketplace.Compliance.Messaging;

/// <summary>What holds for events between two services, whichever way they travel. Inherited once per adapter.</summary>
public abstract partial class MessagingCompliance(PostgresServer postgres)
{
    /// <summary>The settings that choose the adapter; skips where it cannot be had.</summary>
    protected abstract Task<Dictionary<string, string?>> TransportAsync();

    private async Task<World> WorldAsync() => await World.CreateAsync(postgres, await TransportAsync());

    [Fact]
    public async Task Every_committed_event_is_applied_once_and_each_keys_in_order()
    {
        await using var world = await WorldAsync();
        await using var producer = await Producer.StartAsync(world);
        await using var consumer = await Consumer.StartAsync(world);
        var keys = Enumerable.Range(0, 5).Select(_ => Guid.CreateVersion7()).ToList();
        for (var i = 0; i < 200; i++)
        {
            await producer.ChangeAsync(keys[i % keys.Count], $"change {i}");
        }

        var applied = await world.AppliedAsync(200);

        Assert.Equal(200, applied.Count);
        Assert.All(keys, key => Assert.Equal(Enumerable.Range(1, 40).Select(i => (long)i), applied.Where(e => e.Id == key).Select(e => e.Version)));
    }
}

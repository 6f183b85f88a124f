using System.Net;
using LlmMarketplace.Messaging;

namespace LlmMarketplace.Compliance.Messaging;

public abstract partial class MessagingCompliance
{
    [Fact]
    public async Task An_event_that_cannot_be_read_is_put_aside_at_once_and_holds_up_nobody()
    {
        await using var world = await WorldAsync();
        await using var producer = await Producer.StartAsync(world);
        await using var consumer = await Consumer.StartAsync(world);
        var key = Guid.CreateVersion7();
        await producer.ChangeAsync(key);
        await producer.PublishRawAsync(world, key, 2, Producer.Type, """{"id": 42}""");
        await World.ExecuteAsync(world.ProducerDatabase, "UPDATE things.things SET version = 2");
        await producer.ChangeAsync(key);

        var applied = await world.AppliedAsync(2);

        Assert.Equal([1, 3], applied.Select(e => e.Version));
        var letter = Assert.Single(await consumer.DeadLettersAsync());
        Assert.Equal("unreadable", (string?)letter["reason"]);
        Assert.Equal(key, (Guid?)letter["key"]);
        Assert.Equal(HttpStatusCode.Conflict, (await consumer.RetryAsync(letter)).Status);
        Assert.Single(await consumer.DeadLettersAsync());
    }

    [Fact]
    public async Task An_unknown_major_version_is_put_aside_and_a_type_that_nobody_handles_is_passed_over()
    {
        await using var world = await WorldAsync();
        await using var producer = await Producer.StartAsync(world);
        await using var consumer = await Consumer.StartAsync(world);
        var key = Guid.CreateVersion7();
        await producer.PublishRawAsync(world, key, 1, "marketplace.thing.changed.v2", "{}");
        await producer.PublishRawAsync(world, key, 1, "marketplace.thing.polished.v1", "{}");
        await producer.ChangeAsync(key);

        await world.AppliedAsync(1);

        var letter = Assert.Single(await consumer.DeadLettersAsync());
        Assert.Equal("unknown_version", (string?)letter["reason"]);
        Assert.Equal("marketplace.thing.changed.v2", (string?)letter["type"]);
    }

    [Fact]
    public async Task A_handler_that_fails_for_a_while_is_tried_again_and_order_holds()
    {
        await using var world = await WorldAsync();
        await using var producer = await Producer.StartAsync(world);
        var tries = 0;
        await using var consumer = await Consumer.StartAsync(world, e => e.Text == "hard" && ++tries <= 3 ? throw new InvalidOperationException("Not yet.") : Task.CompletedTask);
        var key = Guid.CreateVersion7();
        foreach (var text in new[] { "easy", "hard", "easy again" })
        {
            await producer.ChangeAsync(key, text);
        }

        var applied = await world.AppliedAsync(3);

        Assert.Equal(["easy", "hard", "easy again"], applied.Select(e => e.Text));
        Assert.Empty(await consumer.DeadLettersAsync());
    }

    [Fact]
    public async Task A_handler_that_keeps_failing_loses_only_its_own_event_and_a_retry_applies_it()
    {
        await using var world = await WorldAsync();
        await using var producer = await Producer.StartAsync(world);
        await using var consumer = await Consumer.StartAsync(world, FailsOn("broken"));
        var keys = Keys(10);
        foreach (var key in keys)
        {
            await producer.ChangeAsync(key, key == keys[4] ? "broken" : "well");
        }

        Assert.Equal(9, (await world.AppliedAsync(9)).Count(e => e.Text == "well"));
        var letter = Assert.Single(await consumer.DeadLettersAsync(1));
        Assert.Equal("handler_failed", (string?)letter["reason"]);
        Assert.Equal(4, (int?)letter["attempts"]);
        Assert.Contains("broken", (string?)letter["error"], StringComparison.Ordinal);

        Assert.Equal(HttpStatusCode.Conflict, (await consumer.RetryAsync(letter)).Status);
        Assert.Equal(5, (int?)Assert.Single(await consumer.DeadLettersAsync())["attempts"]);
        Assert.Equal(9, (await world.AppliedAsync()).Count);

        consumer.Behaviour.Before = _ => Task.CompletedTask;
        var (status, retried) = await consumer.RetryAsync(letter);
        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Equal("applied", (string?)retried["state"]);
        Assert.Equal(keys[4], Assert.Single((await world.AppliedAsync()).Skip(9)).Id);

        await consumer.RetryAsync(letter);
        Assert.Equal(10, (await world.AppliedAsync()).Count);
        Assert.Empty(await consumer.DeadLettersAsync());
    }

    [Fact]
    public async Task A_dead_letter_that_a_newer_version_overtook_is_closed_without_effect()
    {
        await using var world = await WorldAsync();
        await using var producer = await Producer.StartAsync(world);
        await using var consumer = await Consumer.StartAsync(world, FailsOn("broken"));
        var key = Guid.CreateVersion7();
        await producer.ChangeAsync(key, "broken");
        await producer.ChangeAsync(key, "well");
        await world.AppliedAsync(1);
        consumer.Behaviour.Before = _ => Task.CompletedTask;

        var letter = Assert.Single(await consumer.DeadLettersAsync(1));
        var (status, retried) = await consumer.RetryAsync(letter);

        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Equal("superseded", (string?)retried["state"]);
        Assert.Equal("well", Assert.Single(await world.AppliedAsync()).Text);
    }

    [Fact]
    public async Task An_older_version_of_a_state_is_a_no_op()
    {
        await using var world = await WorldAsync();
        await using var producer = await Producer.StartAsync(world);
        await using var consumer = await Consumer.StartAsync(world);
        var (key, other) = (Guid.CreateVersion7(), Guid.CreateVersion7());
        foreach (var version in new[] { 5, 4, 5, 6 })
        {
            await producer.PublishRawAsync(world, key, version, Producer.Type, $$"""{"id": "{{key}}", "version": {{version}}, "text": ""}""");
        }

        await producer.ChangeAsync(other);
        var applied = await world.AppliedAsync(3);
        Assert.Equal([5, 6], applied.Where(e => e.Id == key).Select(e => e.Version));
        Assert.Equal(3, applied.Count);
    }

    [Fact]
    public async Task Every_event_of_a_log_is_applied_whatever_its_version()
    {
        await using var world = await WorldAsync(TopicKind.Log);
        await using var producer = await Producer.StartAsync(world);
        await using var consumer = await Consumer.StartAsync(world);
        var key = Guid.CreateVersion7();
        foreach (var version in new[] { 2, 1, 1 })
        {
            await producer.PublishRawAsync(world, key, version, Producer.Type, $$"""{"id": "{{key}}", "version": {{version}}, "text": ""}""");
        }

        Assert.Equal([2, 1, 1], (await world.AppliedAsync(3)).Select(e => e.Version));
    }

    private static Func<ThingChanged, Task> FailsOn(string text) => e => e.Text == text ? throw new InvalidOperationException($"This is {text}.") : Task.CompletedTask;
}

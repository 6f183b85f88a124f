using System.Collections.Concurrent;
using System.Net;
using System.Text.Json.Nodes;

namespace LlmMarketplace.Functional.Crashes;

/// <summary><c>kill -9</c> at any moment, of anything: nothing is lost and nothing doubled.</summary>
public sealed class KillTests(KilledMarketplace killed) : IClassFixture<KilledMarketplace>
{
    private const decimal CallPrice = 0.25m;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Publications_under_way_when_everything_is_killed_end_once()
    {
        var marketplace = await killed.StartedAsync();
        var provider = await marketplace.Market.MemberAsync((await marketplace.Market.ScriptedAsync()).Id, "provider");
        for (var round = 1; ; round++)
        {
            // Killed while some are submitted, some under way and some done.
            var acknowledged = new ConcurrentBag<Publication>();
            var submitting = Enumerable.Range(0, 24).Select(_ => SubmitAsync(provider, acknowledged)).ToList();
            await Until.TrueAsync("some submissions", () => acknowledged.Count >= 8);
            var at = DateTimeOffset.UtcNow;
            await killed.KillAndStartAgainAsync();
            await Task.WhenAll(submitting);

            var (ledgers, finishedLater) = (new Ledgers(marketplace.Process.DirectoryPath), 0);
            foreach (var publication in acknowledged)
            {
                Assert.Equal("succeeded", (await publication.EndAsync()).Status);
                var run = (await provider.GetAsync($"api/v1/pipeline-runs/{publication.Run}")).Expect();
                Assert.Equal(["authorise", "validate", "store", "approval", "publish"], run["steps"]!.AsArray().Select(step => (string?)step!["name"]));
                Assert.Equal(1, await ledgers.CountAsync("publishing", "SELECT count(*) FROM pipeline_entries WHERE run_id = $1 AND type = 'run_finished'", publication.Run));
                Assert.Equal(1, await ledgers.CountAsync("publishing", "SELECT count(*) FROM messaging.outbox WHERE key = $1 AND data->>'cause' = 'published'", publication.Listing));
                finishedLater += (DateTimeOffset)run["finishedAt"]! > at ? 1 : 0;
            }

            await ledgers.AssertEveryEventWasAppliedOnceAsync();
            if (finishedLater > 0)
            {
                return;
            }

            Assert.True(round < 5, "In five rounds no publication was under way when everything was killed.");
        }
    }

    [Fact]
    public async Task Calls_under_way_when_everything_is_killed_are_lost_cost_nothing_and_give_their_budget_back()
    {
        var marketplace = await killed.StartedAsync();
        var (market, provider, name) = (marketplace.Market, marketplace.Model, Market.Unique("mid-call"));
        provider.Play(name, async context =>
        {
            if ((bool?)ScriptedModel.RequestOf(context)["stream"] == true)
            {
                await ScriptedModel.BeginAsync(context);
                await ScriptedModel.SayAsync(context, "It begins");
            }

            await Task.Delay(Timeout.Infinite, context.RequestAborted);
        });
        var model = await PerRequestModelAsync(market, name);
        var (consumer, _) = await market.ConsumerOfAsync(model);
        var key = await Market.KeyAsync(consumer, Declarations.Budget(2 * CallPrice));
        await market.AwaitModelAsync(key, model);

        var plain = BrokenAsync(market.ChatAsync(key.Text, model));
        using var streamed = await StreamAsync(market, key, model);
        await Until.TrueAsync("both calls at the provider", () => provider.CallsOf(name) == 2);
        Assert.Equal("insufficient_quota", (await market.ChatAsync(key.Text, model)).ErrorCode);
        await killed.KillAndStartAgainAsync();
        Assert.True(await plain);
        await Assert.ThrowsAnyAsync<Exception>(() => streamed.Content.ReadAsStringAsync(Cancellation)); // Cut off, never a clean end.

        var records = await Until.SomethingAsync("both records", async () => await RecordsAsync(market, key) is { Count: 2 } found ? found : null);
        Assert.All(records, record => Assert.Equal(("lost", 0m), ((string?)record["outcome"], (decimal)record["cost"]!)));
        Assert.Equal([false, true], records.Select(record => (bool)record["streamed"]!).Order());
        var left = (await market.CallAsync(key.Text, HttpMethod.Get, "api/v1/quota")).Expect()["keyBudget"]!;
        Assert.Equal((0m, 2 * CallPrice), ((decimal)left["spent"]!, (decimal)left["remaining"]!));
        provider.Play(name, context => ScriptedModel.CompleteAsync(context, "Now it works."));
        Assert.Equal(
            [HttpStatusCode.OK, HttpStatusCode.OK, HttpStatusCode.TooManyRequests],
            [(await market.ChatAsync(key.Text, model)).Status, (await market.ChatAsync(key.Text, model)).Status, (await market.ChatAsync(key.Text, model)).Status]);
        await AssertOneEventForEachRecordAsync(marketplace, key, calls: 4);
    }

    [Fact]
    public async Task Answers_kept_for_idempotency_keys_outlive_everything_and_the_keys_of_calls_under_way_are_free_again()
    {
        var marketplace = await killed.StartedAsync();
        var (market, provider, name) = (marketplace.Market, marketplace.Model, Market.Unique("repeated"));
        provider.Play(name, context => ScriptedModel.CompleteAsync(context, $"Answer {provider.CallsOf(name)}."));
        var model = await PerRequestModelAsync(market, name);
        var (_, key) = await market.ConsumerOfAsync(model);
        var complete = await market.ChatAsync(key.Text, model, idempotencyKey: "complete");
        provider.Play(name, context => Task.Delay(Timeout.Infinite, context.RequestAborted));
        var running = BrokenAsync(market.ChatAsync(key.Text, model, idempotencyKey: "running"));
        await Until.TrueAsync("the second call at the provider", () => provider.CallsOf(name) == 2);
        Assert.Equal("idempotency_in_progress", (await market.ChatAsync(key.Text, model, idempotencyKey: "running")).ErrorCode);

        await killed.KillAndStartAgainAsync();
        Assert.True(await running);
        provider.Play(name, context => ScriptedModel.CompleteAsync(context, $"Answer {provider.CallsOf(name)}."));

        var repeated = await market.ChatAsync(key.Text, model, idempotencyKey: "complete");
        Assert.Equal((HttpStatusCode.OK, complete.Text, complete.RequestId, 2), (repeated.Status, repeated.Text, repeated.RequestId, provider.CallsOf(name)));
        Assert.Equal("true", repeated.Headers.GetValues("idempotent-replayed").Single());
        var next = await Until.SomethingAsync("the key free again", async () => await market.ChatAsync(key.Text, model, idempotencyKey: "running") is { Status: HttpStatusCode.OK } answer ? answer : null);
        Assert.Contains("Answer 3.", next.Text, StringComparison.Ordinal);
        Assert.Equal(next.Text, (await market.ChatAsync(key.Text, model, idempotencyKey: "running")).Text);
        await AssertOneEventForEachRecordAsync(marketplace, key, calls: 3);
        Assert.Equal(2 * CallPrice, (decimal)(await market.CallAsync(key.Text, HttpMethod.Get, "api/v1/usage")).Expect()["total"]!["cost"]!);
    }

    [Fact]
    public async Task A_stop_ends_a_stream_that_goes_on_with_an_error_event_and_it_is_billed_for_what_was_delivered()
    {
        var marketplace = await killed.StartedAsync();
        var (market, provider, name) = (marketplace.Market, marketplace.Model, Market.Unique("stopped"));
        provider.Play(name, async context =>
        {
            await ScriptedModel.BeginAsync(context);
            await ScriptedModel.SayAsync(context, "It begins");
            await Task.Delay(Timeout.Infinite, context.RequestAborted);
        });
        var model = await PerRequestModelAsync(market, name);
        var (_, key) = await market.ConsumerOfAsync(model);
        using var streamed = await StreamAsync(market, key, model);

        await killed.StopAndStartAgainAsync();

        var text = await streamed.Content.ReadAsStringAsync(Cancellation);
        Assert.Contains("\"code\":\"stopping\"", text, StringComparison.Ordinal);
        Assert.DoesNotContain("[DONE]", text, StringComparison.Ordinal);
        var record = (await Until.SomethingAsync("the record", async () => await RecordsAsync(market, key) is { Count: 1 } found ? found : null)).Single();
        Assert.Equal(("cut", CallPrice), ((string?)record["outcome"], (decimal)record["cost"]!));
        await AssertOneEventForEachRecordAsync(marketplace, key, calls: 1);
    }

    [Fact]
    public async Task Events_on_their_way_when_everything_is_killed_are_applied_once()
    {
        var marketplace = await killed.StartedAsync();
        var (market, made) = (marketplace.Market, new ConcurrentBag<Organisation>());
        var changes = Enumerable.Range(0, 60).Select(async _ =>
        {
            try
            {
                made.Add(await market.OrganisationAsync(prefix: "mid-relay"));
            }
            catch (HttpRequestException)
            {
                // Killed before the answer: made or not made, but not half.
            }
        }).ToList();
        await Until.TrueAsync("some organisations", () => made.Count >= 20);

        await killed.KillAndStartAgainAsync();
        await Task.WhenAll(changes);

        var ledgers = new Ledgers(marketplace.Process.DirectoryPath);
        await ledgers.AssertEveryEventWasAppliedOnceAsync();
        Assert.Equal(made.Count, await ledgers.CountAsync("publishing", "SELECT count(*) FROM organisations WHERE id = ANY ($1)", made.Select(one => one.Id).ToArray()));
    }

    [Fact]
    public Task Everything_killed_under_load_leaves_one_record_for_each_call() => AssertOneRecordForEachCallAsync(killed.KillAndStartAgainAsync);

    [Fact]
    public Task PostgreSQL_killed_under_load_stops_everything_and_leaves_one_record_for_each_call() => AssertOneRecordForEachCallAsync(killed.KillPostgresAndStartAgainAsync);

    private static async Task SubmitAsync(Member provider, ConcurrentBag<Publication> acknowledged)
    {
        var name = Market.Unique("mid-publication");
        try
        {
            acknowledged.Add(await Market.SubmitAsync(provider, name, Declarations.Chat(name)));
        }
        catch (HttpRequestException)
        {
            // Killed before the answer: nobody was promised anything.
        }
    }

    private static Task<string> PerRequestModelAsync(Market market, string name) =>
        market.ScriptedModelAsync(name, declaration => declaration["pricing"] = Declarations.Pricing("per-request", "request", CallPrice));

    private static async Task<bool> BrokenAsync(Task<Answer> call)
    {
        try
        {
            return (await call).Status != HttpStatusCode.OK;
        }
        catch (HttpRequestException)
        {
            return true;
        }
    }

    private static async Task<HttpResponseMessage> StreamAsync(Market market, Key key, string model)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(market.Address, "v1/chat/completions"));
        request.Headers.Authorization = new("Bearer", key.Text);
        var body = new JsonObject { ["model"] = model, ["stream"] = true, ["messages"] = new JsonArray(new JsonObject { ["role"] = "user", ["content"] = "Tell me." }) };
        request.Content = new StringContent(body.ToJsonString(), System.Text.Encoding.UTF8, "application/json");
        var answer = await Answer.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancellation);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        return answer;
    }

    private static async Task<List<JsonNode>> RecordsAsync(Market market, Key key)
    {
        var (records, cursor) = (new List<JsonNode>(), "");
        do
        {
            var page = (await market.CallAsync(key.Text, HttpMethod.Get, $"api/v1/usage/records?limit=100{cursor}")).Expect();
            records.AddRange(page["items"]!.AsArray().Select(item => item!));
            cursor = (string?)page["nextCursor"] is { } next ? $"&cursor={Uri.EscapeDataString(next)}" : "";
        }
        while (cursor.Length > 0);

        return records;
    }

    private static async Task AssertOneEventForEachRecordAsync(StartedMarketplace marketplace, Key key, int calls)
    {
        // A record follows its call within a moment; that there are more than calls would show too.
        var records = await Until.SomethingAsync($"{calls} records", async () => await RecordsAsync(marketplace.Market, key) is { } found && found.Count >= calls ? found : null);
        Assert.Equal(calls, records.Count);
        var requests = records.Select(record => Guid.Parse((string)record["requestId"]!)).ToArray();
        Assert.Equal(calls, requests.Distinct().Count());
        Assert.Equal(
            calls,
            await new Ledgers(marketplace.Process.DirectoryPath).CountAsync("consumption", "SELECT count(*) FROM messaging.outbox WHERE topic = 'marketplace.requests' AND key = ANY ($1)", requests));
    }

    private async Task AssertOneRecordForEachCallAsync(Func<Task> killAndStartAgain)
    {
        var marketplace = await killed.StartedAsync();
        var (market, provider, name) = (marketplace.Market, marketplace.Model, Market.Unique("under-load"));
        var seen = new ConcurrentBag<string>();
        provider.Play(name, async context =>
        {
            seen.Add(context.Request.Headers["x-request-id"].ToString());
            await Task.Delay(20, context.RequestAborted);
            await ScriptedModel.CompleteAsync(context, "Yes.");
        });
        var model = await PerRequestModelAsync(market, name);
        var (consumer, _) = await market.ConsumerOfAsync(model, tier: "enterprise");
        var key = await Market.KeyAsync(consumer);
        await market.AwaitModelAsync(key, model);

        // Eight callers call on until they are cut off.
        var answered = new ConcurrentBag<string>();
        var callers = Enumerable.Range(0, 8).Select(async _ =>
        {
            try
            {
                while (await market.ChatAsync(key.Text, model) is { Status: HttpStatusCode.OK } answer)
                {
                    answered.Add(answer.RequestId);
                }
            }
            catch (HttpRequestException)
            {
                // The connection went with the process.
            }
        }).ToList();
        await Until.TrueAsync("a load", () => answered.Count >= 100);
        await killAndStartAgain();
        await Task.WhenAll(callers);

        // Whoever was answered has paid, once; whatever the provider saw is on record, once.
        await Until.TrueAsync("a record of everything that the provider saw", async () =>
            seen.ToHashSet().IsSubsetOf((await RecordsAsync(market, key)).Select(record => (string)record["requestId"]!)));
        var records = (await RecordsAsync(market, key)).ToLookup(record => (string?)record["outcome"], record => (string)record["requestId"]!);
        var all = records.SelectMany(group => group).ToList();
        Assert.Equal(all.Count, all.Distinct().Count());
        Assert.Subset(records["completed"].ToHashSet(), answered.ToHashSet());
        Assert.DoesNotContain(seen.GroupBy(id => id), calls => calls.Count() > 1);
        Assert.Subset(new HashSet<string?> { "completed", "lost", "failed", "abandoned" }, records.Select(group => group.Key).ToHashSet());
        await AssertOneEventForEachRecordAsync(marketplace, key, all.Count);
        var charged = (await RecordsAsync(market, key)).Where(record => (string?)record["outcome"] is "completed" or "abandoned").ToList();
        Assert.Equal(charged.Count * CallPrice, (decimal)(await market.CallAsync(key.Text, HttpMethod.Get, "api/v1/usage")).Expect()["total"]!["cost"]!);
    }
}

using System.Text.Json.Nodes;

namespace LlmMarketplace.Functional.Clients;

public sealed class DotNetClientTests(SharedMarketplace shared) : OpenAiClientTests(shared, new DotNetClient());

public sealed class JavaScriptClientTests(SharedMarketplace shared) : OpenAiClientTests(shared, new JavaScriptClient());

public sealed class PythonClientTests(SharedMarketplace shared) : OpenAiClientTests(shared, new PythonClient());

/// <summary>What unchanged clients do at the marketplace, and what they find in the books afterwards.</summary>
public abstract class OpenAiClientTests
{
    private readonly SharedMarketplace shared;
    private readonly IOpenAiClient client;

    private protected OpenAiClientTests(SharedMarketplace shared, IOpenAiClient client) => (this.shared, this.client) = (shared, client);

    [Fact]
    public async Task A_published_and_approved_embedding_service_is_found_by_meaning_called_and_billed()
    {
        client.RequireInstalled();
        var (market, provider) = (await shared.MarketAsync(), await shared.ModelAsync());
        var name = Market.Unique("vectors");
        provider.Play(name, ScriptedModel.Embedding(input: 23, length: 8));
        var organisation = await market.OrganisationAsync("premium");
        var published = await market.ApprovedAsync(
            name,
            declaration =>
            {
                declaration["category"] = "embeddings";
                declaration["description"] = "An embedding model: maps sentences to points, so that close ones mean the same.";
                declaration["pricing"] = Declarations.Pricing("per-token", "1m-tokens", 0.07m);
            },
            new JsonObject { ["kind"] = "organisations", ["organisations"] = new JsonArray(JsonValue.Create(organisation.Id)) });
        var consumer = await market.MemberAsync(organisation.Id, "consumer");
        var key = await Market.KeyAsync(consumer);
        await market.AwaitModelAsync(key, published);
        await Until.TrueAsync("the service among those that turn text into vectors", async () =>
            (await consumer.GetAsync("api/v1/services?q=turn%20text%20into%20vectors&limit=5")).Expect()["items"]!.AsArray().Any(item => (string?)item!["listing"]!["name"] == published));

        var answer = await RunAsync(market, key, "embed", published, "The weather is lovely.", "It is sunny.");

        Assert.Equal("[8,8]", answer["lengths"]!.ToJsonString());
        Assert.Equal("""{"input":23,"output":0}""", answer["usage"]!.ToJsonString());
        await AssertBilledAsync(market, consumer, key, answer, "embeddings", (23, 0, 0.00000161m));
    }

    [Fact]
    public async Task A_chat_is_answered_and_billed()
    {
        var (market, provider, consumer, key, model, name) = await CallableAsync("sdk-chat");
        provider.Play(name, context => ScriptedModel.CompleteAsync(context, "Bonjour.", input: 17, output: 9));

        var answer = await RunAsync(market, key, "chat", model, "Say hello in French.");

        Assert.Equal(("Bonjour.", "stop", """{"input":17,"output":9}"""), ((string?)answer["text"], (string?)answer["finish"], answer["usage"]!.ToJsonString()));
        await AssertBilledAsync(market, consumer, key, answer, "chat", (17, 9, 0.000088m));
    }

    [Fact]
    public async Task A_streamed_chat_comes_in_pieces_and_is_billed_by_its_usage_chunk()
    {
        var (market, provider, consumer, key, model, name) = await CallableAsync("sdk-stream");
        provider.Play(name, async context =>
        {
            await ScriptedModel.BeginAsync(context);
            await ScriptedModel.SayAsync(context, "Bon");
            await ScriptedModel.SayAsync(context, "jour.");
            await ScriptedModel.EndAsync(context, input: 12, output: 3);
        });

        var answer = await RunAsync(market, key, "stream", model, "Say hello in French.");

        Assert.Equal(("""["Bon","jour."]""", "stop"), (answer["words"]!.ToJsonString(), (string?)answer["finish"]));
        Assert.Equal("""{"input":12,"output":3}""", answer["usage"]!.ToJsonString());
        await AssertBilledAsync(market, consumer, key, answer, "chat", (12, 3, 0.000042m));
    }

    [Fact]
    public async Task A_chat_repeated_with_its_idempotency_key_gets_the_first_answer_and_is_billed_once()
    {
        var (market, provider, consumer, key, model, name) = await CallableAsync("sdk-repeat");
        provider.Play(name, context => ScriptedModel.CompleteAsync(context, $"Answer {provider.CallsOf(name)}.", input: 17, output: 9));

        var answer = await RunAsync(market, key, "repeat", model, "Charge me once.", "order 1234");

        Assert.Equal(("""["Answer 1.","Answer 1."]""", 2, 1), (answer["texts"]!.ToJsonString(), (int)answer["requests"]!, provider.CallsOf(name)));
        var ids = answer["requestIds"]!.AsArray();
        Assert.Equal((string?)ids[0], (string?)ids[1]);
        await AssertBilledAsync(market, consumer, key, new JsonObject { ["requestId"] = (string?)ids[0] }, "chat", (17, 9, 0.000088m));
    }

    [Fact]
    public async Task Tools_are_called_and_their_results_come_back_to_the_model()
    {
        var (market, provider, _, key, model, name) = await CallableAsync("sdk-tools");
        provider.Play(name, async context => await (ScriptedModel.RequestOf(context)["messages"]!.AsArray()[^1]!["role"]!.GetValue<string>() == "tool"
            ? ScriptedModel.CompleteAsync(context, $"High water: {ScriptedModel.RequestOf(context)["messages"]!.AsArray()[^1]!["content"]}")
            : ScriptedModel.CallToolAsync(context, ScriptedModel.RequestOf(context)["tools"]![0]!["function"]!["name"]!.GetValue<string>(), """{"port":"Brest"}""")));

        var answer = await RunAsync(market, key, "tools", model, "How high is the tide in Brest?");

        Assert.Equal(("tool_calls", "tide", """{"port":"Brest"}""", "High water: 4.2 m"), ((string?)answer["finish"], (string?)answer["called"], answer["arguments"]!.ToJsonString(), (string?)answer["text"]));
        Assert.Equal(2, (await market.RecordsAsync(key, 2)).Count);
    }

    [Fact]
    public async Task Models_are_listed()
    {
        var (market, _, _, key, model, _) = await CallableAsync("sdk-models");

        Assert.Contains(model, (await RunAsync(market, key, "models", "", ""))["ids"]!.AsArray().Select(id => (string?)id));
    }

    [Fact]
    public async Task A_provider_that_fails_once_is_called_again_by_the_client_and_only_the_answer_costs()
    {
        var (market, provider, _, key, model, name) = await CallableAsync("sdk-retry");
        provider.Play(name, context =>
        {
            if (provider.CallsOf(name) > 1)
            {
                return ScriptedModel.CompleteAsync(context, "At last.", input: 10, output: 5);
            }

            context.Response.StatusCode = 500;
            return Task.CompletedTask;
        });

        var answer = await RunAsync(market, key, "chat", model, "Hello");

        Assert.Equal(("At last.", 2, 2), ((string?)answer["text"], (int)answer["requests"]!, provider.CallsOf(name)));
        var records = await market.RecordsAsync(key, 2);
        Assert.Equal([("completed", 0.00005m), ("failed", 0m)], records.Select(record => ((string)record!["outcome"]!, (decimal)record["cost"]!)));
    }

    [Fact]
    public async Task A_key_that_was_never_given_is_an_authentication_error()
    {
        client.RequireInstalled();
        var market = await shared.MarketAsync();

        var answer = await client.RunAsync(market.Address, "llm_mk_" + new string('a', 48), "chat", "scripted/whatever", "Hello");

        AssertError(answer, 401, "invalid_api_key");
        Assert.Equal(1, (int)answer["requests"]!);
    }

    [Fact]
    public async Task An_unknown_model_is_a_not_found_error()
    {
        var (market, _, _, key, _, _) = await CallableAsync("sdk-unknown");

        AssertError(await RunAsync(market, key, "chat", "scripted/nothing-of-that-name", "Hello"), 404, "model_not_found");
    }

    [Fact]
    public async Task An_empty_budget_is_a_rate_limit_error_that_is_not_tried_again()
    {
        var (market, provider, consumer, _, model, name) = await CallableAsync("sdk-budget");
        var poor = await Market.KeyAsync(consumer, Declarations.Budget(0.000001m));
        await market.AwaitModelAsync(poor, model);

        var answer = await RunAsync(market, poor, "chat", model, "Hello");

        AssertError(answer, 429, "insufficient_quota");
        Assert.Equal(0, provider.CallsOf(name));
        if (client.ObeysShouldRetry)
        {
            Assert.Equal(1, (int)answer["requests"]!);
        }
    }

    [Fact]
    public async Task A_provider_that_always_fails_is_a_server_error()
    {
        var (market, provider, _, key, model, name) = await CallableAsync("sdk-broken");
        provider.Play(name, context =>
        {
            context.Response.StatusCode = 500;
            return Task.CompletedTask;
        });

        var answer = await RunAsync(market, key, "chat", model, "Hello");

        AssertError(answer, 502, "provider_error");
        Assert.Equal((int)answer["requests"]!, provider.CallsOf(name));
    }

    [Fact]
    public async Task A_cut_stream_is_an_error_and_never_a_clean_end()
    {
        var (market, provider, _, key, model, name) = await CallableAsync("sdk-cut");
        provider.Play(name, async context =>
        {
            await ScriptedModel.BeginAsync(context);
            await ScriptedModel.SayAsync(context, "The answer begins well, "); // And ends without [DONE].
        });

        var answer = await RunAsync(market, key, "stream", model, "Hello");

        if (client.SeesErrorEvents)
        {
            Assert.Equal((client.ExceptionOf(null), "provider_error"), ((string?)answer["error"]?["name"], (string?)answer["error"]?["code"]));
        }
        else
        {
            Assert.Equal(("""["The answer begins well, "]""", null), (answer["words"]!.ToJsonString(), (string?)answer["finish"]));
        }

        var record = (await market.RecordsAsync(key, 1)).Single()!;
        Assert.Equal("cut", (string?)record["outcome"]);
    }

    private static async Task AssertBilledAsync(Market market, Member consumer, Key key, JsonNode answer, string operation, (int Input, int Output, decimal Cost) expected)
    {
        var record = await market.RecordAsync(key, (string)answer["requestId"]!);
        Assert.Equal(("completed", false), ((string)record["outcome"]!, (bool)record["usageCounted"]!));
        Assert.StartsWith(operation, (string)record["operation"]!, StringComparison.Ordinal);
        Assert.Equal(expected, ((int)record["inputTokens"]!, (int)record["outputTokens"]!, (decimal)record["cost"]!));
        var total = (await consumer.GetAsync("api/v1/usage")).Expect()["total"]!;
        Assert.Equal((1, expected), ((int)total["calls"]!, ((int)total["inputTokens"]!, (int)total["outputTokens"]!, (decimal)total["cost"]!)));
    }

    private void AssertError(JsonNode answer, int status, string code)
    {
        var error = answer["error"];
        Assert.True(error is not null, answer.ToJsonString());
        Assert.Equal((client.ExceptionOf(status), status, code), ((string?)error["name"], (int?)error["status"], (string?)error["code"]));
        Assert.True(Guid.TryParse((string?)error["requestId"], out _));
    }

    private Task<JsonNode> RunAsync(Market market, Key key, string operation, string model, params string[] texts) => client.RunAsync(market.Address, key.Text, operation, model, texts);

    private async Task<(Market Market, ScriptedModel Provider, Member Consumer, Key Key, string Model, string Name)> CallableAsync(string prefix)
    {
        client.RequireInstalled();
        var (market, provider) = (await shared.MarketAsync(), await shared.ModelAsync());
        var name = Market.Unique(prefix);
        var model = await market.ScriptedModelAsync(name, declaration => declaration["model"]!["tools"] = true);
        var (consumer, key) = await market.ConsumerOfAsync(model);
        return (market, provider, consumer, key, model, name);
    }
}

using System.ClientModel;
using System.Net;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using OpenAI.Chat;
using OpenAI;

namespace LlmMarketplace.Functional.Publishing;

/// <summary>The whole way, from a provider's declaration to a consumer's bill.</summary>
public sealed class PublishToBillTests(SharedMarketplace shared)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_service_is_published_approved_found_called_and_billed_to_the_last_digit()
    {
        var (market, model) = (await shared.MarketAsync(), await shared.ModelAsync());
        var name = Market.Unique("approved");
        model.Play(name, context => ScriptedModel.CompleteAsync(context, "Bonjour.", input: 17, output: 9));
        var provider = await market.MemberAsync((await market.ScriptedAsync()).Id, "provider");
        var declaration = Declarations.Chat(name);
        declaration["description"] = "Renders French poetry into Esperanto verse, keeping metre and rhyme.";
        declaration["sla"]!["supportLevel"] = "enterprise";
        declaration["sla"]!["availability"] = 99.9m;

        // A provider publishes; enterprise support needs an approval.
        var publication = await Market.PublishAsync(provider, name, declaration);
        Assert.Equal("waiting", publication.Status);

        // An approver, not the requester, approves.
        var approver = await market.OperatorAsync("approver");
        var approval = await Market.ApprovalAsync(approver, name);
        var reason = new JsonObject { ["reason"] = "Looks right." };
        var byRequester = await provider.PostAsync($"api/v1/approvals/{(string)approval["id"]!}/approve", reason.DeepClone());
        Assert.Equal(HttpStatusCode.Forbidden, byRequester.Status);
        (await approver.PostAsync($"api/v1/approvals/{(string)approval["id"]!}/approve", reason)).Expect();
        await Until.TrueAsync("the publication", async () => (await publication.EndAsync()).Status == "succeeded");

        // A consumer finds it by meaning and gets a key.
        var (consumer, key) = await market.ConsumerOfAsync(publication.Model);
        var found = await Until.SomethingAsync("the service in the search", async () =>
            (await consumer.GetAsync("api/v1/services?q=translating%20poems%20into%20a%20constructed%20language")).Expect()["items"]!.AsArray().FirstOrDefault());
        Assert.Equal(publication.Model, (string)found["listing"]!["name"]!);

        // Calls it with the unchanged OpenAI SDK.
        var client = new ChatClient(publication.Model, new ApiKeyCredential(key.Text), new OpenAIClientOptions { Endpoint = new Uri(market.Address, "v1") });
        var answer = await client.CompleteChatAsync(["Traduisez."], cancellationToken: Cancellation);
        Assert.Equal("Bonjour.", answer.Value.Content[0].Text);

        // And reads usage and cost: 17 × 0.000002 + 9 × 0.000006.
        const decimal Cost = 0.000088m;
        Assert.True(answer.GetRawResponse().Headers.TryGetValue("x-request-id", out var requestId));
        var record = await market.RecordAsync(key, requestId!);
        var byKey = (await market.CallAsync(key.Text, HttpMethod.Get, "api/v1/usage?groupBy=service")).Expect();
        var byToken = (await consumer.GetAsync("api/v1/usage?groupBy=key")).Expect();
        Assert.Equal((publication.Model, 1, 17, 9, Cost), Read(byKey["items"]![0]!, "service"));
        Assert.Equal((key.Id.ToString(), 1, 17, 9, Cost), Read(byToken["items"]![0]!, "key"));
        Assert.Equal(("completed", Cost, false), ((string)record["outcome"]!, (decimal)record["cost"]!, (bool)record["usageCounted"]!));
    }

    [Fact]
    public async Task A_rest_service_is_published_with_its_document_and_invoked_by_it()
    {
        var (market, model) = (await shared.MarketAsync(), await shared.ModelAsync());
        var name = Market.Unique("rest");
        model.Play(name, context => context.Response.WriteAsJsonAsync(new { text = $"{context.Request.Path}: {(string)ScriptedModel.RequestOf(context)["text"]!}" }, CancellationToken.None));
        var provider = await market.MemberAsync((await market.ScriptedAsync()).Id, "provider");
        var publication = await Market.PublishAsync(provider, name, Declarations.Rest(name));
        Assert.Equal("succeeded", publication.Status);
        var (_, key) = await market.ConsumerOfAsync(publication.Model);
        var invoke = $"api/v1/services/{publication.Listing}/invoke";
        var right = new JsonObject { ["operationId"] = "translate", ["parameters"] = new JsonObject { ["language"] = "de" }, ["body"] = new JsonObject { ["model"] = name, ["text"] = "Hello" } };

        // Its document follows the listing within a moment; until then the answer is 503 with retry-after.
        var answer = await Until.SomethingAsync("the document being known", async () =>
            await market.CallAsync(key.Text, HttpMethod.Post, invoke, right.DeepClone()) is { Status: not HttpStatusCode.ServiceUnavailable } answered ? answered : null);
        var wrong = await market.CallAsync(key.Text, HttpMethod.Post, invoke, new JsonObject { ["operationId"] = "translate", ["body"] = new JsonObject { ["model"] = name, ["text"] = 1 } });

        Assert.Equal("/v1/texts/de: Hello", (string)answer.Expect()["text"]!);
        Assert.Equal(HttpStatusCode.BadRequest, wrong.Status);
        Assert.Equal(["/parameters/language", "/body/text"], wrong.Body!["issues"]!.AsArray().Select(issue => (string)issue!["path"]!));
        var record = Assert.Single(await market.RecordsAsync(key, 1))!;
        Assert.Equal(("invoke", "completed", 0.25m), ((string)record["operation"]!, (string)record["outcome"]!, (decimal)record["cost"]!));
    }

    [Fact]
    public async Task An_approver_does_not_decide_on_what_they_submitted_themselves()
    {
        var market = await shared.MarketAsync();
        var name = Market.Unique("own");
        var both = await market.OperatorAsync("provider", "approver");
        var declaration = Declarations.Chat(name);
        declaration["endpoint"]!["url"] = "https://9.9.9.9/v1"; // Only the scripted organisation may lead to this machine; nobody calls this one.
        declaration["sla"]!["supportLevel"] = "enterprise";
        declaration["sla"]!["availability"] = 99.9m;
        var publication = await Market.PublishAsync(both, name, declaration);
        Assert.Equal("waiting", publication.Status);

        var approval = await Market.ApprovalAsync(both, name);
        var refused = await both.PostAsync($"api/v1/approvals/{(string)approval["id"]!}/approve", new JsonObject { ["reason"] = "I like it." });
        Assert.Equal((HttpStatusCode.Forbidden, "four_eyes"), (refused.Status, (string?)refused.Body!["code"]));
        Assert.Equal("waiting", (await publication.EndAsync()).Status);

        var approver = await market.OperatorAsync("approver");
        (await approver.PostAsync($"api/v1/approvals/{(string)approval["id"]!}/approve", new JsonObject { ["reason"] = "Looks right." })).Expect();
        await Until.TrueAsync("the publication", async () => (await publication.EndAsync()).Status == "succeeded");
    }

    [Fact]
    public async Task The_local_embedding_service_is_found_by_meaning_and_called_with_the_first_runs_key()
    {
        var market = await shared.MarketAsync();
        var facts = (await shared.StartedAsync()).Process.Facts;
        var (key, model) = (facts.ConsumerKey!, facts.Model!);
        var consumer = await market.MemberAsync((await market.OrganisationAsync()).Id, "consumer");

        var found = (await consumer.GetAsync("api/v1/services?q=turn%20text%20into%20vectors")).Expect();
        Assert.Equal(model, (string)found["items"]![0]!["listing"]!["name"]!);

        var client = new OpenAI.Embeddings.EmbeddingClient(model, new ApiKeyCredential(key), new OpenAIClientOptions { Endpoint = new Uri(market.Address, "v1") });
        var answer = await client.GenerateEmbeddingsAsync(["The weather is lovely today.", "It is sunny outside."], cancellationToken: Cancellation);
        Assert.Equal(2, answer.Value.Count);
        Assert.Equal(384, answer.Value[0].ToFloats().Length);
        Assert.InRange(Cosine(answer.Value[0].ToFloats().Span, answer.Value[1].ToFloats().Span), 0.5, 0.99);

        Assert.True(answer.GetRawResponse().Headers.TryGetValue("x-request-id", out var requestId));
        var record = await market.RecordAsync(new Key(Guid.Empty, key), requestId!);
        Assert.Equal(answer.Value.Usage.InputTokenCount, (int)record["inputTokens"]!);
        Assert.Equal(answer.Value.Usage.InputTokenCount * 0.00000002m, (decimal)record["cost"]!);
    }

    [Fact]
    public async Task A_declaration_with_a_private_address_is_refused_by_the_pipeline()
    {
        var market = await shared.MarketAsync();
        var provider = await market.MemberAsync((await market.ScriptedAsync()).Id, "provider");
        var declaration = Declarations.Chat("inside");
        declaration["endpoint"]!["url"] = "https://169.254.169.254/v1";

        var publication = await Market.PublishAsync(provider, Market.Unique("inside"), declaration);

        Assert.Equal("failed", publication.Status);
        var run = (await provider.GetAsync($"api/v1/pipeline-runs/{publication.Run}")).Expect();
        Assert.Contains("FORBIDDEN_ENDPOINT", run["issues"]!.AsArray().Select(issue => (string)issue!["code"]!));
    }

    [Fact]
    public async Task A_rejected_version_is_never_callable()
    {
        var market = await shared.MarketAsync();
        var provider = await market.MemberAsync((await market.ScriptedAsync()).Id, "provider");
        var name = Market.Unique("rejected");
        var declaration = Declarations.Chat(name);
        declaration["compliance"]!["level"] = "confidential";
        var publication = await Market.PublishAsync(provider, name, declaration);
        var approver = await market.OperatorAsync("approver");
        var approval = await Market.ApprovalAsync(approver, name);

        (await approver.PostAsync($"api/v1/approvals/{(string)approval["id"]!}/reject", new JsonObject { ["reason"] = "No certificate." })).Expect();

        await Until.TrueAsync("the rejection", async () => (await publication.EndAsync()).Status == "failed");
        var version = (await provider.GetAsync($"api/v1/listings/{publication.Listing}/versions/1.0.0")).Expect();
        Assert.Equal("rejected", (string)version["status"]!);
        var consumer = await market.MemberAsync((await market.OrganisationAsync(clearance: "restricted")).Id, "consumer");
        var key = await Market.KeyAsync(consumer);
        await Until.TrueAsync("the key being known", async () => (await market.ModelsAsync(key)).Count > 0);
        Assert.Equal(HttpStatusCode.NotFound, (await market.ChatAsync(key.Text, publication.Model)).Status);
    }

    private static (string Group, int Calls, int Input, int Output, decimal Cost) Read(JsonNode item, string group) =>
        ((string)item[group]!, (int)item["calls"]!, (int)item["inputTokens"]!, (int)item["outputTokens"]!, (decimal)item["cost"]!);

    private static double Cosine(ReadOnlySpan<float> one, ReadOnlySpan<float> other)
    {
        var sum = 0.0;
        for (var i = 0; i < one.Length; i++)
        {
            sum += one[i] * other[i];
        }

        return sum;
    }
}

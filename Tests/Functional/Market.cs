using System.Collections.Concurrent;
using System.Net;
using System.Text.Json.Nodes;

namespace LlmMarketplace.Functional;

/// <summary>What people do at the marketplace's public address, as short as a story needs it. Nothing here knows another way in.</summary>
public sealed class Market
{
    private static int counter;

    private readonly ConcurrentDictionary<string, Lazy<Task<Organisation>>> organisations = new();

    public Market(Uri address, string bootstrapSecret)
    {
        Address = address;
        Administrator = new Member(address, "bootstrap", bootstrapSecret);
    }

    public Uri Address { get; }

    /// <summary>An administrator of the operator.</summary>
    public Member Administrator { get; }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>A name that nobody has.</summary>
    public static string Unique(string prefix) => $"{prefix}-{Environment.ProcessId}-{Interlocked.Increment(ref counter)}";

    /// <summary>A new organisation.</summary>
    public Task<Organisation> OrganisationAsync(string tier = "basic", string clearance = "public", string prefix = "org") => OrganisationOfAsync(Unique(prefix), tier, clearance);

    /// <summary>The organisation that publishes the scripted models.</summary>
    public Task<Organisation> ScriptedAsync() => organisations.GetOrAdd(ScriptedModel.Organisation, slug => new(() => OrganisationOfAsync(slug, "basic", "restricted"))).Value;

    /// <summary>A machine client in the operator's organisation.</summary>
    public async Task<Member> OperatorAsync(params string[] roles)
    {
        var listed = (await Administrator.GetAsync("api/v1/organisations?slug=operator")).Expect();
        return await MemberAsync(Guid.Parse((string)listed["items"]![0]!["id"]!), roles);
    }

    public async Task<Member> MemberAsync(Guid organisation, params string[] roles)
    {
        var made = (await Administrator.PostAsync("api/v1/clients", new JsonObject { ["name"] = Unique("member"), ["organisationId"] = organisation, ["roles"] = new JsonArray([.. roles.Select(role => JsonValue.Create(role))]) })).Expect();
        return new Member(Address, (string)made["client"]!["id"]!, (string)made["secret"]!);
    }

    /// <summary>A listing with one version, sent through the pipeline until that ends or waits.</summary>
    public static async Task<Publication> PublishAsync(Member provider, string name, JsonObject declaration, JsonObject? visibility = null)
    {
        var submitted = await SubmitAsync(provider, name, declaration, visibility);
        return await submitted.EndAsync();
    }

    /// <summary>The same, without waiting for the pipeline.</summary>
    public static async Task<Publication> SubmitAsync(Member provider, string name, JsonObject declaration, JsonObject? visibility = null)
    {
        var body = new JsonObject { ["name"] = name, ["visibility"] = visibility?.DeepClone() ?? new JsonObject { ["kind"] = "public", ["organisations"] = new JsonArray() } };

        // A new organisation is known to Publishing a moment later: until then the answer is 503 with retry-after.
        var listing = (await Until.SomethingAsync($"creating {name}", async () =>
        {
            var answer = await provider.PostAsync("api/v1/listings", body.DeepClone());
            return answer.Status == HttpStatusCode.ServiceUnavailable ? null : answer;
        })).Expect();
        var id = (string)listing["id"]!;
        (await provider.PostAsync($"api/v1/listings/{id}/versions", declaration.DeepClone())).Expect();
        var run = (await provider.PostAsync($"api/v1/listings/{id}/versions/{(string)declaration["version"]!}/submit")).Expect();
        return new Publication(provider, Guid.Parse(id), $"{(string)listing["provider"]!}/{name}", Guid.Parse((string)run["id"]!), null);
    }

    /// <summary>A key of the consumer's organisation.</summary>
    public static async Task<Key> KeyAsync(Member consumer, JsonObject? budget = null, DateTimeOffset? expiresAt = null)
    {
        var body = new JsonObject { ["name"] = Unique("key"), ["budget"] = budget };
        if (expiresAt is { } at)
        {
            body["expiresAt"] = at;
        }

        var made = (await consumer.PostAsync("api/v1/keys", body)).Expect();
        return new Key(Guid.Parse((string)made["id"]!), (string)made["key"]!);
    }

    /// <summary>Waits until the key may call the model.</summary>
    public Task AwaitModelAsync(Key key, string model) => Until.TrueAsync($"{model} served to the key", async () => (await ModelsAsync(key)).Contains(model));

    public async Task<IReadOnlyList<string>> ModelsAsync(Key key)
    {
        var answer = await CallAsync(key.Text, HttpMethod.Get, "v1/models");
        return answer.Status == HttpStatusCode.OK ? [.. answer.Body!["data"]!.AsArray().Select(model => (string)model!["id"]!)] : [];
    }

    /// <summary>A new consumer with a key that may call the model.</summary>
    public async Task<(Member Consumer, Key Key)> ConsumerOfAsync(string model, string tier = "premium", string clearance = "public")
    {
        var organisation = await OrganisationAsync(tier, clearance, "consumer");
        var consumer = await MemberAsync(organisation.Id, "consumer");
        var key = await KeyAsync(consumer);
        await AwaitModelAsync(key, model);
        return (consumer, key);
    }

    /// <summary>A model of the scripted provider, published for everybody.</summary>
    public async Task<string> ScriptedModelAsync(string model, Action<JsonObject>? change = null, JsonObject? visibility = null)
    {
        var scripted = await ScriptedAsync();
        var provider = await MemberAsync(scripted.Id, "provider");
        var declaration = Declarations.Chat(model);
        change?.Invoke(declaration);
        var published = await PublishAsync(provider, model, declaration, visibility);
        Assert.Equal("succeeded", published.Status);
        return published.Model;
    }

    /// <summary>The same, of a kind that needs an approval, which an approver of the operator gives.</summary>
    public async Task<string> ApprovedAsync(string model, Action<JsonObject>? change = null, JsonObject? visibility = null)
    {
        var provider = await MemberAsync((await ScriptedAsync()).Id, "provider");
        var declaration = Declarations.Chat(model);
        declaration["sla"]!["supportLevel"] = "enterprise";
        declaration["sla"]!["availability"] = 99.9m;
        change?.Invoke(declaration);
        var published = await PublishAsync(provider, model, declaration, visibility);
        Assert.Equal("waiting", published.Status);
        var approver = await OperatorAsync("approver");
        var approval = await ApprovalAsync(approver, model);
        (await approver.PostAsync($"api/v1/approvals/{(string)approval["id"]!}/approve", new JsonObject { ["reason"] = "Looks right." })).Expect();
        await Until.TrueAsync("the publication", async () => (await published.EndAsync()).Status == "succeeded");
        return published.Model;
    }

    /// <summary>The pending approval of a listing, once the approver sees it.</summary>
    public static Task<JsonNode> ApprovalAsync(Member approver, string name) => Until.SomethingAsync($"the approval of {name}", async () =>
        (await approver.GetAsync("api/v1/approvals?status=pending&limit=100")).Expect()["items"]!.AsArray().SingleOrDefault(one => (string?)one!["name"] == name));

    /// <summary>One call with a key.</summary>
    public Task<Answer> CallAsync(string key, HttpMethod method, string path, JsonNode? body = null, string? idempotencyKey = null) =>
        Answer.SendAsync(Address, method, path, key, body, Cancellation, idempotencyKey);

    /// <summary>A chat of one message.</summary>
    public Task<Answer> ChatAsync(string key, string model, string text = "Hello", string? idempotencyKey = null) => CallAsync(
        key,
        HttpMethod.Post,
        "v1/chat/completions",
        new JsonObject { ["model"] = model, ["max_tokens"] = 20, ["messages"] = new JsonArray(new JsonObject { ["role"] = "user", ["content"] = text }) },
        idempotencyKey);

    /// <summary>The record of a call, once there is one.</summary>
    public Task<JsonNode> RecordAsync(Key key, string requestId) => Until.SomethingAsync($"a record of {requestId}", () => FindRecordAsync(key, requestId));

    /// <summary>The records of a key, newest first, once there are so many: they follow their calls within a moment.</summary>
    public Task<JsonArray> RecordsAsync(Key key, int count) => Until.SomethingAsync($"{count} records", async () =>
        (await CallAsync(key.Text, HttpMethod.Get, "api/v1/usage/records")).Expect()["items"]!.AsArray() is { } items && items.Count >= count ? items : null);

    public async Task<JsonNode?> FindRecordAsync(Key key, string requestId) =>
        (await CallAsync(key.Text, HttpMethod.Get, $"api/v1/usage/records?requestId={requestId}")).Expect()["items"]!.AsArray().SingleOrDefault();

    private async Task<Organisation> OrganisationOfAsync(string slug, string tier, string clearance)
    {
        var found = (await Administrator.GetAsync($"api/v1/organisations?slug={slug}")).Expect()["items"]!.AsArray().SingleOrDefault();
        found ??= (await Administrator.PostAsync("api/v1/organisations", new JsonObject { ["slug"] = slug, ["name"] = slug, ["tier"] = tier, ["clearance"] = clearance })).Expect();
        return new Organisation(Guid.Parse((string)found["id"]!), slug);
    }
}

public sealed record Organisation(Guid Id, string Slug);

public sealed record Key(Guid Id, string Text);

/// <summary>A version on its way, or at the end of it.</summary>
public sealed record Publication(Member Provider, Guid Listing, string Model, Guid Run, string? Status)
{
    /// <summary>Waits until the pipeline has ended or waits for a person.</summary>
    public async Task<Publication> EndAsync()
    {
        var run = await Until.SomethingAsync($"the pipeline run of {Model}", async () =>
        {
            var answer = await Provider.GetAsync($"api/v1/pipeline-runs/{Run}");
            return answer.Status == HttpStatusCode.OK && (string)answer.Body!["status"]! is "succeeded" or "failed" or "waiting" ? answer.Body : null;
        });
        return this with { Status = (string)run["status"]! };
    }
}

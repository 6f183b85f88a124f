using System.Text;
using System.Text.Json;
using LlmMarketplace.Consumption.Tests.Surfaces;
using LlmMarketplace.Identity.Contracts;
using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Servers;
using Xunit;

namespace LlmMarketplace.Consumption.Tests;

/// <summary>A service with a provider's script of its own behind it, and an organisation with a key to call it.</summary>
internal sealed class Shop : IDisposable
{
    public const string Hello = "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]";
    private readonly Marketplace marketplace;
    private readonly string segment;

    private Shop(Marketplace marketplace, string segment, ListingChanged listing, Member member, CreatedKey key)
    {
        (this.marketplace, this.segment, Listing, Member, Key) = (marketplace, segment, listing, member, key);
        Client = key.Client();
    }

    public ListingChanged Listing { get; }

    public string Model => $"{Listing.Provider}/{Listing.Name}";

    public Member Member { get; }

    public CreatedKey Key { get; }

    /// <summary>Calls with the key.</summary>
    public HttpClient Client { get; }

    /// <summary>What this service's provider was sent.</summary>
    public IReadOnlyList<ReceivedCall> Seen => [.. marketplace.Provider.Calls.Where(call => call.Path.StartsWith($"/{segment}/", StringComparison.Ordinal))];

    /// <param name="marketplace">Where.</param>
    /// <param name="answer">What its provider does.</param>
    /// <param name="pricing">0.01 a request unless said.</param>
    /// <param name="category">Its category.</param>
    /// <param name="tier">The caller's tier.</param>
    /// <param name="timeoutMs">How long the provider may be silent.</param>
    /// <param name="maxOutput">The listing's cap of output tokens.</param>
    /// <param name="key">The key's settings.</param>
    /// <param name="endpoint">Changes the listing's endpoint.</param>
    /// <param name="model">The provider's name of the model.</param>
    public static async Task<Shop> OpenAsync(
        Marketplace marketplace, Func<ReceivedCall, Task> answer, ServicePricing? pricing = null, string category = "text-generation", OrganisationTier tier = OrganisationTier.Enterprise,
        int timeoutMs = 60_000, int? maxOutput = 1_000, object? key = null,
        Func<ServiceEndpoint, ServiceEndpoint>? endpoint = null, string model = "scripted-model")
    {
        var segment = Guid.CreateVersion7().ToString("n");
        marketplace.Provider.AnswerBelow(segment, answer);
        var listing = await marketplace.AddServiceAsync(pricing, category, timeoutMs: timeoutMs, maxOutput: maxOutput, url: $"http://scripted.local/{segment}/v1", endpoint: endpoint, model: model);
        var member = await marketplace.AddOrganisationAsync(tier);
        return new Shop(marketplace, segment, listing, member, await member.CreateKeyAsync(key));
    }

    /// <summary>Changes what the provider does.</summary>
    public void Answer(Func<ReceivedCall, Task> answer) => marketplace.Provider.AnswerBelow(segment, answer);

    /// <summary>A call's body with these members besides <c>model</c>.</summary>
    public string Body(string members = Hello) => $$"""{"model":"{{Model}}",{{members}}}""";

    /// <summary>A whole chat.</summary>
    /// <param name="members">Of its body, besides the model.</param>
    /// <param name="client">Who calls; this shop's client unless said.</param>
    /// <param name="isShipped">Whether to wait until its record is in the database.</param>
    public async Task<HttpResponseMessage> ChatAsync(string members = Hello, HttpClient? client = null, bool isShipped = true)
    {
        var answer = await (client ?? Client).PostJsonAsync("/v1/chat/completions", Body(members));
        if (isShipped)
        {
            await ShippedAsync();
        }

        return answer;
    }

    public async Task<HttpResponseMessage> EmbedAsync(HttpClient? client = null)
    {
        var answer = await (client ?? Client).PostJsonAsync("/v1/embeddings", Body("\"input\":\"hello\""));
        await ShippedAsync();
        return answer;
    }

    /// <summary>Waits until the records of all calls that ended are in the database.</summary>
    public Task ShippedAsync() => marketplace.ShippedAsync(Member.Id);

    /// <summary>A streamed chat, as soon as its headers are there.</summary>
    public Task<HttpResponseMessage> StreamAsync(string members = Hello, HttpClient? client = null, CancellationToken leave = default) =>
        (client ?? Client).SendAsync(
            new HttpRequestMessage(HttpMethod.Post, "/v1/chat/completions") { Content = Json.Content(Body(members + ",\"stream\":true")) }, HttpCompletionOption.ResponseHeadersRead, leave);

    public Task<JsonElement> RecordAsync(HttpResponseMessage answer) => Member.RecordAsync(answer.RequestId());

    /// <summary>How many calls were admitted and settled, and what they cost.</summary>
    public async Task<(long Calls, decimal Cost)> TotalAsync(bool isShipped = true)
    {
        var total = (await Member.UsageAsync(isShipped: isShipped)).GetProperty("total");
        return (total.GetProperty("calls").GetInt64(), total.GetProperty("cost").GetDecimal());
    }

    public void Dispose() => Client.Dispose();
}

/// <summary>Bodies and what they say.</summary>
internal static class Json
{
    public static StringContent Content(string json) => new(json, Encoding.UTF8, "application/json");

    public static Task<HttpResponseMessage> PostJsonAsync(this HttpClient client, string path, string json) => client.PostAsync(path, Content(json));

    /// <summary>Calls until the marketplace is ready: one that it cannot admit in time, on a loaded machine, leaves nothing behind.</summary>
    public static async Task<HttpResponseMessage> UntilReadyAsync(Func<Task<HttpResponseMessage>> call)
    {
        HttpResponseMessage? answer = null;
        await Until.TrueAsync(async () => (answer = await call()).StatusCode != System.Net.HttpStatusCode.ServiceUnavailable);
        return answer!;
    }

    public static async Task<JsonElement> JsonAsync(this HttpResponseMessage answer) => JsonElement.Parse(await answer.Content.ReadAsStringAsync());

    public static string? Text(this JsonElement element, string member) => element.GetProperty(member).GetString();

    /// <summary>The error in OpenAI's shape, and nothing else.</summary>
    public static async Task<OpenAiError> ErrorAsync(this HttpResponseMessage answer)
    {
        Assert.Equal("application/json", answer.Content.Headers.ContentType?.MediaType);
        Assert.True(Guid.TryParse(answer.Headers.GetValues("x-request-id").Single(), out _));
        var error = Assert.Single((await answer.JsonAsync()).EnumerateObject()).Value;
        Assert.Equal(["message", "type", "param", "code"], error.EnumerateObject().Select(member => member.Name));
        Assert.NotEmpty(error.Text("message")!);
        return new OpenAiError((int)answer.StatusCode, error.Text("type"), error.Text("code"), error.Text("param"));
    }

    /// <summary>The error's code, or null when it is none.</summary>
    public static async Task<string?> ErrorCodeAsync(this HttpResponseMessage answer) => answer.IsSuccessStatusCode ? null : (await answer.ErrorAsync()).Code;

    /// <summary>A problem's status and code.</summary>
    public static async Task<(int Status, string? Code)> ProblemAsync(this HttpResponseMessage answer)
    {
        Assert.Equal("application/problem+json", answer.Content.Headers.ContentType?.MediaType);
        return ((int)answer.StatusCode, (await answer.JsonAsync()).Text("code"));
    }

    public static string? Header(this HttpResponseMessage answer, string name) => answer.Headers.TryGetValues(name, out var values) ? Assert.Single(values) : null;
}

/// <summary>What a caller of <c>/v1</c> is told.</summary>
internal sealed record OpenAiError(int Status, string? Type, string? Code, string? Param);

using LlmMarketplace.Consumption.Tests.Surfaces;
using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Servers;

namespace LlmMarketplace.Consumption.Tests.Platforms;

/// <summary>Services at Google's and Amazon's platforms, in whose place the scriptable provider stands.</summary>
internal static class PlatformMarket
{
    /// <summary>Per million tokens: 3 in, 15 out, 0.3 read from the cache, 3.75 and 6 written to it for 5 minutes and an hour.</summary>
    public static ServicePricing Pricing { get; } = Prices.PerMillionTokens(3m, 15m, 0.3m) with { Rates = [new PriceRate("default", "1m-tokens", 3m, 15m, 0.3m) { CacheWrite = 3.75m, CacheWrite1h = 6m }] };

    /// <param name="marketplace">Where.</param>
    /// <param name="protocol">The platform.</param>
    /// <param name="authentication">How the marketplace proves itself.</param>
    /// <param name="model">The platform's model id.</param>
    /// <param name="secret">The credential, made for the address below which the platform is.</param>
    /// <param name="answer">What the platform does.</param>
    /// <param name="surfaces">What it serves; null: what its model lets expect.</param>
    /// <param name="beside">What the platform's token server does, at the same address with <c>-tokens</c>; null: there is none.</param>
    public static async Task<PlatformShop> OpenAsync(
        Marketplace marketplace, EndpointProtocol protocol, EndpointAuthentication authentication, string model, Func<string, string> secret, Func<ReceivedCall, Task> answer, IReadOnlyList<string>? surfaces = null,
        Func<ReceivedCall, Task>? beside = null)
    {
        var segment = Guid.CreateVersion7().ToString("n");
        marketplace.Provider.AnswerBelow(segment, answer);
        if (beside is not null)
        {
            marketplace.Provider.AnswerBeside($"{segment}-tokens", beside);
        }

        var address = $"http://scripted.local/{segment}";
        var listing = await marketplace.AddServiceAsync(Pricing, url: $"{address}/v1", endpoint: endpoint => endpoint with { Protocol = protocol, Authentication = authentication, Surfaces = surfaces });
        var version = listing.Versions[0];
        var changed = listing with
        {
            Versions = [version with { Specification = version.Specification with { Model = version.Specification.Model with { Id = model } }, Secret = Marketplace.Protect(version.VersionId, secret(address)) }],
        };
        await marketplace.TellAsync(changed);
        await marketplace.KnowsAsync(changed, known => known.Specification.Model.Id == model);
        var member = await marketplace.AddOrganisationAsync();
        return new PlatformShop(marketplace, segment, $"acme/{listing.Name}", member, await member.CreateKeyAsync());
    }
}

/// <summary>Such a service, and an organisation with a key to call it.</summary>
internal sealed class PlatformShop(Marketplace marketplace, string segment, string model, Member member, CreatedKey key) : IDisposable
{
    public string Model => model;

    public Member Member => member;

    public CreatedKey Key => key;

    public HttpClient Client { get; } = key.Client();

    /// <summary>What the platform was sent.</summary>
    public IReadOnlyList<ReceivedCall> Seen => [.. marketplace.Provider.Calls.Where(call => call.Path.StartsWith($"/{segment}/v1/", StringComparison.Ordinal))];

    /// <summary>Path and query of the only call that the platform was sent, below its address.</summary>
    public string Target => Xunit.Assert.Single(Seen) is var call ? call.Path[(segment.Length + 4)..] + call.Query : "";

    public Task<HttpResponseMessage> ChatAsync(string members = Shop.Hello) => Client.PostJsonAsync("/v1/chat/completions", $$"""{"model":"{{model}}",{{members}}}""");

    public Task<HttpResponseMessage> RespondAsync(string members) => Client.PostJsonAsync("/v1/responses", $$"""{"model":"{{model}}",{{members}}}""");

    public async Task<HttpResponseMessage> MessagesAsync(string members, string? betas = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/messages") { Content = Json.Content($$"""{"model":"{{model}}",{{members}}}""") };
        if (betas is not null)
        {
            request.Headers.TryAddWithoutValidation("anthropic-beta", betas);
        }

        return await Client.SendAsync(request);
    }

    public async Task<decimal> CostAsync(HttpResponseMessage answer) => (await member.RecordAsync(answer.RequestId())).GetProperty("cost").GetDecimal();

    public void Dispose() => Client.Dispose();
}

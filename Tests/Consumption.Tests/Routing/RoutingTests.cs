using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using LlmMarketplace.Consumption.Tests.Surfaces;
using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Servers;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Routing;

/// <summary>Which address is called, and which model when the first one fails.</summary>
public sealed class RoutingTests(Marketplace marketplace)
{
    private static readonly ServicePricing Cheap = Prices.PerMillionTokens(1m, 1m);
    private static readonly ServicePricing Dear = Prices.PerMillionTokens(3m, 3m);

    [Fact]
    public async Task When_one_address_fails_the_next_one_answers_and_the_record_lists_both_attempts()
    {
        marketplace.Provider.AnswerBelow("failing-primary", ProviderScripts.Fail(503));
        var service = await AddAsync(ProviderScripts.Chat("From a replica", 3, 2), Cheap, primary: "http://scripted.local/failing-primary/v1");
        var (client, member) = await CallerAsync();

        var answer = await CallAsync(client, service);

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        var attempts = (await member.RecordAsync(answer.RequestId())).GetProperty("attempts").EnumerateArray();
        Assert.Equal([("primary", 503), ("second", 200)], attempts.Select(attempt => (attempt.GetProperty("endpoint").GetString(), attempt.GetProperty("status").GetInt32())));
    }

    [Fact]
    public async Task A_provider_that_keeps_failing_is_no_longer_asked_and_nothing_is_admitted()
    {
        var service = await marketplace.AddServiceAsync(ProviderScripts.Fail(503), Cheap, EndpointProtocol.OpenAi);
        var (client, member) = await CallerAsync();
        await CallAsync(client, service);
        await CallAsync(client, service); // Five attempts have failed by now.
        var asked = Asked(service);

        var refused = await CallAsync(client, service);

        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
        Assert.Equal("provider_unavailable", await CodeAsync(refused));
        Assert.True(refused.Headers.RetryAfter!.Delta > TimeSpan.Zero);
        Assert.Equal(asked, Asked(service));
        Assert.Equal(2, (await member.UsageAsync()).GetProperty("total").GetProperty("calls").GetInt64());
    }

    [Fact]
    public async Task Only_addresses_in_the_callers_countries_are_called()
    {
        var service = await AddAsync(ProviderScripts.Chat("Hallo", 3, 2), Cheap, residency: "DE");
        var (client, member) = await CallerAsync();

        var inGermany = await CallAsync(client, service, headers: ("x-marketplace-residency", "DE, AT"));
        var inJapan = await CallAsync(client, service, headers: ("x-marketplace-residency", "JP"));

        Assert.Equal(HttpStatusCode.OK, inGermany.StatusCode);
        Assert.Equal("second", (await member.RecordAsync(inGermany.RequestId())).GetProperty("attempts")[0].GetProperty("endpoint").GetString());
        Assert.Equal(HttpStatusCode.BadRequest, inJapan.StatusCode);
    }

    [Fact]
    public async Task A_fallback_is_called_when_the_first_model_fails_and_each_has_its_record()
    {
        var failing = await marketplace.AddServiceAsync(ProviderScripts.Fail(500), Cheap, EndpointProtocol.OpenAi);
        var working = await marketplace.AddServiceAsync(ProviderScripts.Chat("From the second", 3, 2), Cheap, EndpointProtocol.OpenAi);
        var (client, member) = await CallerAsync();

        var answer = await CallAsync(client, failing, fallbacks: [working]);

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal($"acme/{working.Name}@1.0.0", answer.Headers.GetValues("x-marketplace-model").Single());
        var (seen, _) = marketplace.Seen(answer);
        Assert.DoesNotContain("\"models\"", seen.Body, StringComparison.Ordinal);
        JsonElement.Parse(seen.Body);
        var first = Guid.Parse(answer.Headers.GetValues("x-marketplace-fallback-from").Single());
        Assert.Equal(("failed", 0m), Outcome(await member.RecordAsync(first)));
        Assert.Equal(("completed", 0.000005m), Outcome(await member.RecordAsync(answer.RequestId())));
    }

    [Fact]
    public async Task A_dearer_fallback_is_called_only_when_the_caller_allows_it()
    {
        var failing = await marketplace.AddServiceAsync(ProviderScripts.Fail(500), Cheap, EndpointProtocol.OpenAi);
        var dearer = await marketplace.AddServiceAsync(ProviderScripts.Chat("Dear", 3, 2), Dear, EndpointProtocol.OpenAi);
        var (client, _) = await CallerAsync();

        var silent = await CallAsync(client, failing, fallbacks: [dearer]);
        var allowed = await CallAsync(client, failing, fallbacks: [dearer], headers: ("x-marketplace-allow-dearer", "true"));

        Assert.Equal(HttpStatusCode.BadGateway, silent.StatusCode);
        Assert.Equal("provider_error", await CodeAsync(silent));
        Assert.Equal(HttpStatusCode.OK, allowed.StatusCode);
    }

    [Fact]
    public async Task What_cannot_be_called_now_still_has_the_price_that_its_fallbacks_are_held_to()
    {
        var first = await marketplace.AddServiceAsync(ProviderScripts.Fail(503), Cheap, EndpointProtocol.OpenAi);
        var dearer = await marketplace.AddServiceAsync(ProviderScripts.Chat("Dear", 3, 2), Dear, EndpointProtocol.OpenAi);
        var equal = await marketplace.AddServiceAsync(ProviderScripts.Chat("As dear", 3, 2), Cheap, EndpointProtocol.OpenAi);
        var (client, _) = await CallerAsync();
        await CallAsync(client, first);
        await CallAsync(client, first); // Five attempts have failed by now: it is left alone.

        await AssertHeldAsync("provider_unavailable");

        await marketplace.TellAsync(first with { Suspended = true });
        await Until.TrueAsync(async () => await CodeAsync(await CallAsync(client, first)) == "service_suspended");
        await AssertHeldAsync("service_suspended");

        async Task AssertHeldAsync(string code)
        {
            Assert.Equal(code, await CodeAsync(await CallAsync(client, first, fallbacks: [dearer])));
            Assert.Equal(0, Asked(dearer));
            Assert.Equal(HttpStatusCode.OK, (await CallAsync(client, first, fallbacks: [dearer, equal])).StatusCode);
            Assert.Equal(0, Asked(dearer));
        }
    }

    [Fact]
    public async Task A_fallback_of_what_has_no_price_for_the_caller_is_called_only_when_the_caller_allows_any()
    {
        var first = await marketplace.AddServiceAsync(ProviderScripts.Chat("Never", 3, 2), new ServicePricing(PricingModel.PerToken, "USD", []), EndpointProtocol.OpenAi);
        var other = await marketplace.AddServiceAsync(ProviderScripts.Chat("Other", 3, 2), Cheap, EndpointProtocol.OpenAi);
        var (client, _) = await CallerAsync();
        await marketplace.TellAsync(first with { Suspended = true });
        await Until.TrueAsync(async () => await CodeAsync(await CallAsync(client, first)) == "service_suspended");

        Assert.Equal("service_suspended", await CodeAsync(await CallAsync(client, first, fallbacks: [other])));
        Assert.Equal(HttpStatusCode.OK, (await CallAsync(client, first, fallbacks: [other], headers: ("x-marketplace-allow-dearer", "true"))).StatusCode);
    }

    [Fact]
    public async Task What_the_caller_did_wrong_is_not_tried_with_another_model()
    {
        var refusing = await marketplace.AddServiceAsync(ProviderScripts.Fail(400), Cheap, EndpointProtocol.OpenAi);
        var other = await marketplace.AddServiceAsync(ProviderScripts.Chat("Never", 3, 2), Cheap, EndpointProtocol.OpenAi);
        var (client, _) = await CallerAsync();

        var answer = await CallAsync(client, refusing, fallbacks: [other]);

        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Equal(0, Asked(other));
    }

    [Fact]
    public async Task A_preference_chooses_among_what_the_caller_may_call_and_says_what_it_chose()
    {
        const string category = "sentiment-analysis"; // Which no other test uses.
        var dear = await marketplace.AddServiceAsync(ProviderScripts.Chat("Dear", 3, 2), Dear, EndpointProtocol.OpenAi, category: category);
        var cheap = await marketplace.AddServiceAsync(ProviderScripts.Chat("Cheap", 3, 2), Cheap, EndpointProtocol.OpenAi, category: category);
        var (client, _) = await CallerAsync();

        var answer = await PostAsync(client, $$"""{"model":"cheapest/{{category}}","messages":[]}""");
        var nothing = await PostAsync(client, """{"model":"cheapest/speech-to-text","messages":[]}""");

        Assert.Equal($"acme/{cheap.Name}@1.0.0", answer.Headers.GetValues("x-marketplace-model").Single());
        Assert.Equal(0, Asked(dear));
        Assert.Equal(HttpStatusCode.NotFound, nothing.StatusCode);

        var cheapest = await marketplace.AddServiceAsync(ProviderScripts.Fail(400), Prices.PerMillionTokens(0.1m, 0.1m), EndpointProtocol.Anthropic, category: category);
        Task<HttpResponseMessage> ChooseAsync(string members) => PostAsync(client, $$"""{"model":"cheapest/{{category}}","messages":[]{{members}}}""");
        await Until.TrueAsync(async () => Chosen(await ChooseAsync("")) == $"acme/{cheapest.Name}@1.0.0");

        Assert.Equal($"acme/{cheap.Name}@1.0.0", Chosen(await ChooseAsync(""","logit_bias":{}"""))); // The cheapest cannot be told this.
        Assert.Equal(0, Asked(dear));

        static string Chosen(HttpResponseMessage answer) => answer.Headers.GetValues("x-marketplace-model").Single();
    }

    [Theory]
    [InlineData("""{"models":["a/b"],"model":"x"}""", """{"model":"m"}""")]
    [InlineData("""{"model":"x","models":["a/b"]}""", """{"model":"m"}""")]
    [InlineData("""{"model":"x" , "models" : [ "a/b", "c/d" ] , "messages":[]}""", """{"model":"m" ,  "messages":[]}""")]
    public async Task Fallbacks_are_cut_out_of_the_body_with_one_comma(string body, string expected)
    {
        var bytes = Encoding.UTF8.GetBytes(body);
        var (request, refusal) = Consumption.Calls.ReadCallRequest.Read(Consumption.Calls.Surface.ChatCompletions, bytes, 64);
        Assert.Null(refusal);

        using var edited = Consumption.Calls.EditedBody.Of(Consumption.Calls.Surface.ChatCompletions, bytes, request!, "m", cap: null);

        Assert.Equal(expected, await edited.ReadAsStringAsync());
    }

    private async Task<ListingChanged> AddAsync(Func<ReceivedCall, Task> answer, ServicePricing pricing, string? primary = null, string? residency = null)
    {
        var service = await marketplace.AddServiceAsync(answer, pricing, EndpointProtocol.OpenAi);
        var version = service.Versions[0];
        var endpoint = version.Specification.Endpoint;
        var changed = service with
        {
            Versions =
            [
                version with
                {
                    Specification = version.Specification with
                    {
                        Endpoint = endpoint with { Url = primary ?? endpoint.Url, Weight = 1_000, Replicas = [new EndpointReplica("second", endpoint.Url, primary is null ? 1 : 0, residency)] },
                    },
                },
            ],
        };
        await marketplace.TellAsync(changed);
        var catalogue = marketplace.Service.App.Services.GetRequiredService<Catalogue.Catalogue>();
        await Until.TrueAsync(() => catalogue.Current.Listings[$"acme/{service.Name}"].Versions[0].Endpoints.Count == 2);
        return changed;
    }

    private async Task<(HttpClient Client, Member Member)> CallerAsync()
    {
        var member = await marketplace.AddOrganisationAsync();
        return ((await member.CreateKeyAsync()).Client(), member);
    }

    private static Task<HttpResponseMessage> CallAsync(HttpClient client, ListingChanged service, ListingChanged[]? fallbacks = null, params (string Name, string Value)[] headers) => PostAsync(
        client,
        fallbacks is null
            ? $$"""{"model":"acme/{{service.Name}}","messages":[]}"""
            : $$"""{"model":"acme/{{service.Name}}","models":[{{string.Join(",", fallbacks.Select(other => $"\"acme/{other.Name}\""))}}],"messages":[]}""",
        headers);

    private static async Task<HttpResponseMessage> PostAsync(HttpClient client, string body, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/chat/completions") { Content = new StringContent(body, Encoding.UTF8, "application/json") };
        foreach (var (name, value) in headers)
        {
            request.Headers.Add(name, value);
        }

        return await client.SendAsync(request);
    }

    private int Asked(ListingChanged service)
    {
        var path = new Uri(service.Versions[0].Specification.Endpoint.Url).AbsolutePath;
        return marketplace.Provider.Calls.Count(call => call.Path.StartsWith(path, StringComparison.Ordinal));
    }

    private static async Task<string?> CodeAsync(HttpResponseMessage answer) => (await answer.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("error").GetProperty("code").GetString();

    private static (string?, decimal) Outcome(JsonElement record) => (record.GetProperty("outcome").GetString(), record.GetProperty("cost").GetDecimal());
}

using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using LlmMarketplace.Consumption.Contracts;
using LlmMarketplace.Consumption.Tests.Surfaces;
using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Servers;
using Npgsql;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Attribution;

/// <summary>Whom a call is made for, and its tags: given with the request, kept with the record.</summary>
public sealed class AttributionTests(Marketplace marketplace)
{
    [Theory]
    [InlineData("\"user\":\"u-1\"", null, "u-1")]
    [InlineData("\"user\":\"u-1\",\"safety_identifier\":\"s-1\"", null, "s-1")]
    [InlineData("\"safety_identifier\":\"\",\"user\":\"u-1\"", null, "u-1")]
    [InlineData("\"user\":\"u-1\"", "h-1", "h-1")]
    [InlineData("\"user\":null", "zoe@example.org", "zoe@example.org")]
    [InlineData("\"user\":\"zo\\u00eb\"", null, "zoë")]
    [InlineData("\"user\":\"\"", null, null)]
    [InlineData("\"metadata\":{\"user_id\":\"m-1\"}", null, null)]
    public async Task The_record_names_the_end_user_whom_the_header_or_else_the_body_names(string member, string? header, string? expected)
    {
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 1, 1));

        var answer = await SendAsync(shop.Client, "/v1/chat/completions", shop.Body($"{member},{Shop.Hello}"), ("x-marketplace-user", header));

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal(expected, (await shop.RecordAsync(answer)).Text("endUser"));
        var seen = Assert.Single(shop.Seen);
        Assert.Contains(member, seen.Body, StringComparison.Ordinal);
        Assert.DoesNotContain(seen.Headers.Keys, name => name.StartsWith("x-marketplace", StringComparison.OrdinalIgnoreCase));
    }

    [Fact]
    public async Task A_message_names_its_end_user_in_its_metadata()
    {
        var message = ProviderScripts.Json(200, """{"id":"m","type":"message","role":"assistant","model":"c","content":[],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}}""");
        var service = await marketplace.AddServiceAsync(message, Prices.PerMillionTokens(1m, 1m), EndpointProtocol.Anthropic);
        var member = await marketplace.AddOrganisationAsync();
        using var client = (await member.CreateKeyAsync()).Client();
        client.DefaultRequestHeaders.Add("anthropic-version", "2023-06-01");

        var answer = await SendAsync(client, "/v1/messages", $$"""{"model":"acme/{{service.Name}}","max_tokens":9,"messages":[],"metadata":{"user_id":"m-1","other":[1]},"user":7}""");

        Assert.Equal("m-1", (await member.RecordAsync(answer.RequestId())).Text("endUser"));
    }

    [Fact]
    public async Task Records_their_event_and_the_generation_carry_model_end_user_and_tags()
    {
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 1, 1));

        var answer = await SendAsync(shop.Client, "/v1/chat/completions", shop.Body(), ("x-marketplace-user", "u-1"), ("x-marketplace-tags", "team=search, feature = rerank=2 ,"));
        var record = await shop.RecordAsync(answer);
        var generation = await shop.Client.GetFromJsonAsync<JsonElement>($"/v1/generations/{answer.RequestId()}");

        const string tags = """{"team":"search","feature":"rerank=2"}""";
        Assert.Equal($"{shop.Model}@1.0.0", record.Text("model"));
        AssertSame(tags, record.GetProperty("tags"));
        Assert.Equal(("u-1", $"{shop.Model}@1.0.0"), (generation.Text("end_user"), generation.Text("model")));
        AssertSame(tags, generation.GetProperty("tags"));
        var told = await EventAsync(answer.RequestId());
        Assert.Equal(("u-1", $"{shop.Model}@1.0.0"), (told.Text("endUser"), told.Text("model")));
        AssertSame(tags, told.GetProperty("tags"));
    }

    [Fact]
    public async Task A_fallback_is_made_for_the_same_end_user()
    {
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 1, 1));
        using var failing = await Shop.OpenAsync(marketplace, ProviderScripts.Fail(500));

        var answer = await SendAsync(shop.Client, "/v1/chat/completions", failing.Body($"\"models\":[\"{shop.Model}\"],{Shop.Hello}"), ("x-marketplace-user", "u-1"), ("x-marketplace-tags", "team=search"));

        Assert.Equal(shop.Model, (await shop.RecordAsync(answer)).Text("service"));
        Assert.Equal("u-1", (await shop.RecordAsync(answer)).Text("endUser"));
        Assert.Equal("u-1", (await shop.Member.RecordAsync(Guid.Parse(answer.Header("x-marketplace-fallback-from")!))).Text("endUser"));
    }

    [Theory]
    [InlineData("\"user\":7", "", "", "user")]
    [InlineData("\"safety_identifier\":{}", "", "", "safety_identifier")]
    [InlineData("\"user\":\"a\\u0000b\"", "", "", "user")]
    [InlineData("\"user\":\"LONG\"", "", "", "user")]
    [InlineData("", "LONG", "", "x-marketplace-user")]
    [InlineData("", "", "team", "x-marketplace-tags")]
    [InlineData("", "", "team=", "x-marketplace-tags")]
    [InlineData("", "", "te am=x", "x-marketplace-tags")]
    [InlineData("", "", "team=a,team=b", "x-marketplace-tags")]
    [InlineData("", "", "team=LONG", "x-marketplace-tags")]
    [InlineData("", "", "a=1,b=1,c=1,d=1,e=1,f=1,g=1,h=1,i=1,j=1,k=1,l=1,m=1,n=1,o=1,p=1,q=1", "x-marketplace-tags")]
    public async Task What_cannot_be_kept_is_refused_by_the_name_of_its_field(string member, string user, string tags, string param)
    {
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 1, 1));
        var members = (member.Length == 0 ? "" : member + ",") + Shop.Hello;

        var answer = await SendAsync(shop.Client, "/v1/chat/completions", shop.Body(Long(members)), ("x-marketplace-user", Long(user)), ("x-marketplace-tags", Long(tags)));

        Assert.Equal(new OpenAiError(400, "invalid_request_error", "invalid_value", param), await answer.ErrorAsync());
        Assert.Empty(shop.Seen);
    }

    [Theory]
    [InlineData("\"user\":\"a\",\"user\":\"b\"", "duplicate_field")]
    [InlineData("\"user\":\"\\ud800\"", "invalid_json")]
    public async Task An_end_user_who_is_not_said_plainly_is_refused(string member, string code)
    {
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 1, 1));

        Assert.Equal(code, await (await shop.ChatAsync($"{member},{Shop.Hello}")).ErrorCodeAsync());
    }

    internal static Task<HttpResponseMessage> SendAsync(HttpClient client, string path, string body, params (string Name, string? Value)[] headers)
    {
        return Json.UntilReadyAsync(() =>
        {
            var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = Json.Content(body) };
            foreach (var (name, value) in headers.Where(header => !string.IsNullOrEmpty(header.Value)))
            {
                request.Headers.TryAddWithoutValidation(name, value);
            }

            return client.SendAsync(request);
        });
    }

    private async Task<JsonElement> EventAsync(Guid call)
    {
        await using var connection = new NpgsqlConnection(marketplace.Database.AppConnectionString);
        await connection.OpenAsync();
        await using var read = new NpgsqlCommand("SELECT data FROM messaging.outbox WHERE key = $1 AND type = $2", connection) { Parameters = { new() { Value = call }, new() { Value = ConsumptionEvents.RequestSettled } } };
        return JsonElement.Parse((string)(await read.ExecuteScalarAsync())!);
    }

    private static string Long(string text) => text.Replace("LONG", new string('x', 257), StringComparison.Ordinal);

    private static void AssertSame(string expected, JsonElement actual) => Assert.True(JsonElement.DeepEquals(JsonElement.Parse(expected), actual), actual.GetRawText());
}

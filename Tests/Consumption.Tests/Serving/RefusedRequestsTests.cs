using System.Net;
using System.Net.Http.Headers;
using System.Text;
using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Servers;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Serving;

/// <summary>What is refused before it is admitted: no record, no reservation, and the provider hears nothing.</summary>
public sealed class RefusedRequestsTests(Marketplace marketplace)
{
    [Theory]
    [InlineData("not JSON", "invalid_json", null)]
    [InlineData("[]", "invalid_json", null)]
    [InlineData("", "invalid_json", null)]
    [InlineData("{\"model\":\"$\"} {}", "invalid_json", null)]
    [InlineData("{\"model\":\"$\",}", "invalid_json", null)]
    [InlineData("{\"messages\":[]}", "invalid_value", "model")]
    [InlineData("{\"model\":7}", "invalid_value", "model")]
    [InlineData("{\"model\":null}", "invalid_value", "model")]
    [InlineData("{\"model\":\"$\",\"model\":\"$\"}", "duplicate_field", "model")]
    [InlineData("{\"model\":\"$\",\"mod\\u0065l\":\"$\"}", "duplicate_field", "model")]
    [InlineData("{\"model\":\"$\",\"Model\":\"dearer\"}", "invalid_value", "model")]
    [InlineData("{\"MODEL\":\"$\"}", "invalid_value", "model")]
    [InlineData("{\"model\":\"$\",\"\\u004dodel\":\"dearer\"}", "invalid_value", "model")]
    [InlineData("{\"model\":\"$\",\"max_toKens\":1}", "invalid_value", "max_tokens")]
    [InlineData("{\"model\":\"$\",\"max_to\u212Aens\":1}", "invalid_value", "max_tokens")]
    [InlineData("{\"model\":\"$\",\"\u017Ftream\":true}", "invalid_value", "stream")]
    [InlineData("{\"model\":\"$\",\"N\":128}", "invalid_value", "n")]
    [InlineData("{\"model\":\"$\",\"stream\":\"yes\"}", "invalid_value", "stream")]
    [InlineData("{\"model\":\"$\",\"stream\":true,\"stream\":false}", "duplicate_field", "stream")]
    [InlineData("{\"model\":\"$\",\"stream_options\":[]}", "invalid_value", "stream_options")]
    [InlineData("{\"model\":\"$\",\"stream_options\":{\"include_usage\":1}}", "invalid_value", "stream_options.include_usage")]
    [InlineData("{\"model\":\"$\",\"max_tokens\":0}", "invalid_value", "max_tokens")]
    [InlineData("{\"model\":\"$\",\"max_tokens\":-1}", "invalid_value", "max_tokens")]
    [InlineData("{\"model\":\"$\",\"max_tokens\":1.5}", "invalid_value", "max_tokens")]
    [InlineData("{\"model\":\"$\",\"max_tokens\":\"5\"}", "invalid_value", "max_tokens")]
    [InlineData("{\"model\":\"$\",\"max_tokens\":99999999999}", "invalid_value", "max_tokens")]
    [InlineData("{\"model\":\"$\",\"max_tokens\":1,\"max_tokens\":1}", "duplicate_field", "max_tokens")]
    [InlineData("{\"model\":\"$\",\"max_completion_tokens\":0}", "invalid_value", "max_completion_tokens")]
    [InlineData("{\"model\":\"$\",\"n\":0}", "invalid_value", "n")]
    [InlineData("{\"model\":\"$\",\"n\":129}", "invalid_value", "n")]
    [InlineData("{\"model\":\"$\",\"messages\":[],\"messages\":[]}", "duplicate_field", "messages")]
    public async Task A_body_that_cannot_be_metered_is_a_bad_request(string body, string code, string? param)
    {
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 1, 1));

        var answer = await shop.Client.PostJsonAsync("/v1/chat/completions", body.Replace("$", shop.Model, StringComparison.Ordinal));

        Assert.Equal(new OpenAiError(400, "invalid_request_error", code, param), await answer.ErrorAsync());
        await AssertNothingHappenedAsync(shop);
    }

    [Fact]
    public async Task Bytes_that_are_no_text_and_nesting_without_end_are_bad_requests()
    {
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 1, 1));
        byte[][] bodies =
        [
            [.. Encoding.UTF8.GetBytes(shop.Body())[..^1], .. ",\"x\":\""u8, 0xC3, 0x28, .. "\"}"u8],
            Encoding.UTF8.GetBytes(shop.Body($"\"x\":{new string('[', 500)}{new string(']', 500)}")),
            Encoding.Unicode.GetBytes(shop.Body()),
        ];

        foreach (var body in bodies)
        {
            var answer = await shop.Client.PostAsync("/v1/chat/completions", new ByteArrayContent(body) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } });
            Assert.Equal(new OpenAiError(400, "invalid_request_error", "invalid_json", null), await answer.ErrorAsync());
        }

        await AssertNothingHappenedAsync(shop);
    }

    [Theory]
    [InlineData("text/plain", null)]
    [InlineData("application/json; charset=utf-16", null)]
    [InlineData("application/json", "gzip")]
    [InlineData(null, null)]
    public async Task Only_plain_JSON_in_UTF8_is_read(string? type, string? encoding)
    {
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 1, 1));
        var content = new ByteArrayContent(Encoding.UTF8.GetBytes(shop.Body()));
        content.Headers.ContentType = type is null ? null : MediaTypeHeaderValue.Parse(type);
        if (encoding is not null)
        {
            content.Headers.ContentEncoding.Add(encoding);
        }

        var answer = await shop.Client.PostAsync("/v1/chat/completions", content);

        Assert.Equal(new OpenAiError(415, "invalid_request_error", "unsupported_media_type", null), await answer.ErrorAsync());
        await AssertNothingHappenedAsync(shop);
    }

    [Fact]
    public async Task A_body_that_is_too_large_is_refused_whether_it_says_so_or_not()
    {
        await using var bounded = await marketplace.StartInstanceAsync(settings: new KeyValuePair<string, string?>("Calls:MaxRequestBytes", "2048"));
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 1, 1));
        using var client = shop.Key.Client(bounded);
        await Until.TrueAsync(async () => (await client.GetAsync($"/v1/models/{shop.Model}")).IsSuccessStatusCode);
        var padding = 2_049 - shop.Body(Shop.Hello + ",\"x\":\"\"").Length;
        var (fits, not) = (shop.Body($"{Shop.Hello},\"x\":\"{new string('a', padding - 1)}\""), shop.Body($"{Shop.Hello},\"x\":\"{new string('a', padding)}\""));

        foreach (var chunked in new[] { false, true })
        {
            using var large = new HttpRequestMessage(HttpMethod.Post, "/v1/chat/completions") { Content = Json.Content(not), Headers = { TransferEncodingChunked = chunked } };
            Assert.Equal(new OpenAiError(413, "invalid_request_error", "request_too_large", null), await (await client.SendAsync(large)).ErrorAsync());
        }

        await AssertNothingHappenedAsync(shop);
        Assert.Equal(HttpStatusCode.OK, (await client.PostJsonAsync("/v1/chat/completions", fits)).StatusCode);
    }

    [Theory]
    [InlineData("GET", "/v1/chat/completions", 405, "method_not_allowed", "/v1/chat/completions is called by POST, not by GET.")]
    [InlineData("DELETE", "/v1/models", 405, "method_not_allowed", "/v1/models is called by GET, not by DELETE.")]
    [InlineData("POST", "/v1/made-up", 404, "unknown_url", "There is no POST /v1/made-up here. /docs shows what there is.")]
    [InlineData("GET", "/v1/", 404, "unknown_url", "There is no GET /v1/ here. /docs shows what there is.")]
    [InlineData("POST", "/v1/v1/chat/completions", 404, "unknown_url", "There is no POST /v1/v1/chat/completions here. Take /v1 off the end of the client's base address: /v1/chat/completions is meant.")]
    public async Task What_is_not_there_is_said_in_the_same_shape_with_what_was_meant(string method, string path, int status, string code, string message)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path);

        var answer = await marketplace.Service.Client.SendAsync(request);

        var error = (await answer.JsonAsync()).GetProperty("error");
        Assert.Equal((status, "invalid_request_error", code, message), ((int)answer.StatusCode, error.Text("type"), error.Text("code"), error.Text("message")));
        Assert.Equal(status == 405, answer.Content.Headers.Allow.Count == 1);
    }

    [Theory]
    [InlineData("gpt-4o", "The model `gpt-4o` does not exist or you do not have access to it. Name a service as `provider/service` (GET /v1/models lists them), or let the name stand for one: PUT /api/v1/aliases/gpt-4o.")]
    [InlineData("acme/nothing", "The model `acme/nothing` does not exist or you do not have access to it. GET /v1/models lists those that this key may call.")]
    public async Task A_model_that_is_not_there_is_told_in_readable_text_with_what_to_do(string model, string message)
    {
        using var client = (await (await marketplace.AddOrganisationAsync()).CreateKeyAsync()).Client();

        var answer = await client.PostJsonAsync("/v1/chat/completions", $$"""{"model":"{{model}}","messages":[]}""");

        Assert.Contains($"\"message\":\"{message}\"", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal); // As it is sent: nothing escaped that needs it not.
    }

    [Fact]
    public async Task A_service_is_called_the_way_it_is_made_for()
    {
        using var embeddings = await Shop.OpenAsync(marketplace, ProviderScripts.Embedding(1), category: "embeddings");
        using var chat = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 1, 1));

        Assert.Equal(new OpenAiError(400, "invalid_request_error", "unsupported_operation", "model"), await (await embeddings.ChatAsync()).ErrorAsync());
        Assert.Equal(new OpenAiError(400, "invalid_request_error", "unsupported_operation", "model"), await (await chat.EmbedAsync()).ErrorAsync());
        var streamed = await embeddings.Client.PostJsonAsync("/v1/embeddings", embeddings.Body("\"input\":\"a\",\"stream\":true"));
        Assert.Equal(new OpenAiError(400, "invalid_request_error", "invalid_value", "stream"), await streamed.ErrorAsync());
        await AssertNothingHappenedAsync(embeddings);
        await AssertNothingHappenedAsync(chat);
    }

    [Fact]
    public async Task A_tier_without_a_price_is_not_served()
    {
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 1, 1), new ServicePricing(PricingModel.PerRequest, "USD", [new PriceRate("premium", "request", 1m, null, null)]));

        Assert.Equal((403, "no_price_for_tier"), ((int)(await shop.ChatAsync()).StatusCode, (await (await shop.ChatAsync()).ErrorAsync()).Code));
        await AssertNothingHappenedAsync(shop);
    }

    private static async Task AssertNothingHappenedAsync(Shop shop)
    {
        Assert.Empty(shop.Seen);
        Assert.Equal((0, 0m), await shop.TotalAsync());
    }
}

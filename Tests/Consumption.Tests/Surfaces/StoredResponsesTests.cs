#pragma warning disable OPENAI001 // The client calls all of Responses new.
using System.ClientModel;
using System.Net;
using System.Text.Json;
using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Servers;
using OpenAI.Responses;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Surfaces;

public sealed class StoredResponsesTests(Marketplace marketplace)
{
    private static readonly ServicePricing Pricing = Prices.PerMillionTokens(2m, 8m);
    private static readonly string[] Responses = [ServiceSurfaces.Responses];

    [Fact]
    public async Task A_stored_response_is_read_and_deleted_by_OpenAIs_client_for_nothing()
    {
        var (key, member, service) = await CallerAsync();
        using var http = key.Client();
        var client = new ResponsesClient(new ApiKeyCredential(key.Text), new ResponsesClientOptions { Endpoint = new Uri(http.BaseAddress!, "v1") });
        var id = await CreateAsync(http, service);

        var read = await client.GetResponseAsync(id);
        var deleted = await client.DeleteResponseAsync(id);

        Assert.Equal((id, "Hello"), (read.Value.Id, read.Value.GetOutputText()));
        Assert.True(deleted.Value.Deleted);
        Assert.Equal(new OpenAiError(404, "invalid_request_error", "response_not_found", null), await (await http.GetAsync($"/v1/responses/{id}")).ErrorAsync());
        Assert.True(read.GetRawResponse().Headers.TryGetValue("x-request-id", out var call));
        var record = await member.RecordAsync(Guid.Parse(call!));
        Assert.Equal(("responses.retrieve", "completed", 0m), (record.Text("operation"), record.Text("outcome"), record.GetProperty("cost").GetDecimal()));
    }

    [Fact]
    public async Task A_stored_response_and_what_it_was_made_of_are_read_with_the_providers_own_credential_path_and_query()
    {
        var (key, _, service) = await CallerAsync();
        using var http = key.Client();
        var id = await CreateAsync(http, service);

        var answer = await http.GetAsync($"/v1/responses/{id}/input_items?limit=5&include%5B%5D=a%20b");

        Assert.Equal("""{"object":"list","data":[]}""", await answer.Content.ReadAsStringAsync());
        var (seen, path) = marketplace.Seen(answer);
        Assert.Equal($"/v1/responses/{id}/input_items", path);
        Assert.Equal("Bearer " + Marketplace.Credential, seen.Headers["authorization"]);
        Assert.Equal(("", "?limit=5&include%5B%5D=a%20b"), (seen.Body, seen.Query));
    }

    [Fact]
    public async Task A_streamed_response_is_stored_too()
    {
        var (key, _, service) = await CallerAsync();
        using var http = key.Client();
        var stream = await http.PostJsonAsync("/v1/responses", $$"""{"model":"acme/{{service.Name}}","input":"Hi","stream":true}""");
        var first = (await stream.Content.ReadAsStringAsync()).Split('\n')[1]["data: ".Length..];

        var answer = await http.GetAsync($"/v1/responses/{JsonElement.Parse(first).GetProperty("response").Text("id")}");

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    [Fact]
    public async Task Another_organisations_response_does_not_exist_and_its_provider_hears_nothing()
    {
        var (key, _, service) = await CallerAsync();
        using var owner = key.Client();
        var id = await CreateAsync(owner, service);
        var other = await marketplace.AddOrganisationAsync();
        using var stranger = (await other.CreateKeyAsync()).Client();
        var before = marketplace.Provider.Calls.Count(call => call.Path.Contains(id, StringComparison.Ordinal));

        var read = await (await stranger.GetAsync($"/v1/responses/{id}")).ErrorAsync();
        var deleted = await (await stranger.DeleteAsync($"/v1/responses/{id}")).ErrorAsync();
        var items = await (await stranger.GetAsync($"/v1/responses/{id}/input_items")).ErrorAsync();
        var goneOn = await (await stranger.PostJsonAsync("/v1/responses", Body(service, id))).ErrorAsync();

        Assert.Equal([new OpenAiError(404, "invalid_request_error", "response_not_found", null)], new[] { read, deleted, items }.Distinct());
        Assert.Equal(new OpenAiError(400, "invalid_request_error", "previous_response_not_found", "previous_response_id"), goneOn);
        Assert.Equal(before, marketplace.Provider.Calls.Count(call => call.Path.Contains(id, StringComparison.Ordinal) || call.Body.Contains(id, StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_response_that_was_not_to_be_stored_does_not_exist()
    {
        var (key, _, service) = await CallerAsync();
        using var http = key.Client();
        var created = await http.PostJsonAsync("/v1/responses", $$"""{"model":"acme/{{service.Name}}","input":"Hi","store":false}""");

        var answer = await http.GetAsync($"/v1/responses/{(await created.JsonAsync()).Text("id")}");

        Assert.Equal("response_not_found", (await answer.ErrorAsync()).Code);
    }

    [Fact]
    public async Task Another_instance_knows_where_a_response_is_kept_as_soon_as_its_caller_has_it()
    {
        var (key, _, service) = await CallerAsync();
        await using var another = await marketplace.StartInstanceAsync();
        using var http = key.Client();
        using var there = key.Client(another);
        var id = await CreateAsync(http, service);

        var answer = await there.GetAsync($"/v1/responses/{id}");

        Assert.Equal(id, (await answer.JsonAsync()).Text("id"));
    }

    [Fact]
    public async Task A_response_goes_on_at_the_address_that_keeps_the_one_before()
    {
        var (key, _, service) = await CallerAsync(replicas: 3);
        using var http = key.Client();
        var created = await http.PostJsonAsync("/v1/responses", Body(service));
        var id = (await created.JsonAsync()).Text("id")!;
        var keeper = marketplace.Seen(created).Call.Path;

        for (var i = 0; i < 6; i++)
        {
            var next = await http.PostJsonAsync("/v1/responses", Body(service, id));
            Assert.Equal(HttpStatusCode.OK, next.StatusCode);
            Assert.Equal(keeper, marketplace.Seen(next).Call.Path);
            Assert.Contains($"\"previous_response_id\":\"{id}\"", marketplace.Seen(next).Call.Body, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_response_is_asked_for_with_the_credential_that_made_it_until_that_is_taken_away()
    {
        var (key, _, service) = await CallerAsync();
        var version = service.Versions[0];
        var several = version with { Credentials = [.. Enumerable.Range(1, 3).Select(i => Marketplace.Encrypt(version.VersionId, $"account-{i}", $"sk-{i}"))] };
        await marketplace.TellAsync(service with { Versions = [several] });
        await marketplace.KnowsAsync(service, known => known.Endpoints[0].Credentials.Count == 4);
        using var http = key.Client();
        var created = await http.PostJsonAsync("/v1/responses", Body(service));
        var id = (await created.JsonAsync()).Text("id")!;
        var maker = marketplace.Seen(created).Call.Headers["authorization"];
        for (var i = 0; i < 8; i++)
        {
            Assert.Equal(maker, marketplace.Seen(await http.GetAsync($"/v1/responses/{id}")).Call.Headers["authorization"]);
        }

        await marketplace.TellAsync(service with { Versions = [several with { Secret = null, Credentials = [Marketplace.Encrypt(version.VersionId, "account-4", "sk-4")] }] });
        await marketplace.KnowsAsync(service, known => known.Endpoints[0].Credentials.Count == 1);

        Assert.Equal("Bearer sk-4", marketplace.Seen(await http.GetAsync($"/v1/responses/{id}")).Call.Headers["authorization"]);
    }

    [Fact]
    public async Task A_response_does_not_go_on_at_another_service()
    {
        var (key, _, service) = await CallerAsync();
        var another = await marketplace.AddServiceAsync(ProviderScripts.Fail(500), Pricing, EndpointProtocol.OpenAi, Responses);
        using var http = key.Client();
        var id = await CreateAsync(http, service);

        var answer = await http.PostJsonAsync("/v1/responses", Body(another, id));

        Assert.Equal(new OpenAiError(400, "invalid_request_error", "previous_response_elsewhere", "previous_response_id"), await answer.ErrorAsync());
    }

    [Fact]
    public async Task What_came_before_is_reserved_too()
    {
        var (key, member, service) = await CallerAsync();
        using var http = key.Client();
        var id = await CreateAsync(http, service);
        await member.SetBudgetAsync(0.012m); // 1 000 tokens out are 0.008; the whole window of 8 192 tokens in is 0.016.

        var anew = await http.PostJsonAsync("/v1/responses", Body(service));
        var goneOn = await http.PostJsonAsync("/v1/responses", Body(service, id));

        Assert.Equal(HttpStatusCode.OK, anew.StatusCode);
        Assert.Equal("insufficient_quota", (await goneOn.ErrorAsync()).Code);
    }

    [Theory]
    [InlineData("\"conversation\":\"conv_1\"", "conversation")]
    [InlineData("\"input\":[{\"type\":\"item_reference\",\"id\":\"msg_1\"}]", "input")]
    public async Task What_the_provider_keeps_is_not_reached_by_its_id_alone(string members, string param)
    {
        var (key, _, service) = await CallerAsync();
        using var http = key.Client();

        var answer = await http.PostJsonAsync("/v1/responses", $$"""{"model":"acme/{{service.Name}}",{{members}}}""");

        Assert.Equal(new OpenAiError(400, "invalid_request_error", "unsupported_parameter", param), await answer.ErrorAsync());
    }

    [Theory]
    [InlineData("resp_unknown")]
    [InlineData("..%2Fmodels")]
    public async Task An_id_that_nobody_made_does_not_exist(string id)
    {
        var member = await marketplace.AddOrganisationAsync();
        using var http = (await member.CreateKeyAsync()).Client();

        Assert.Equal("response_not_found", (await (await http.GetAsync($"/v1/responses/{id}")).ErrorAsync()).Code);
    }

    private static string Body(ListingChanged service, string? previous = null) =>
        $$"""{"model":"acme/{{service.Name}}","input":"Hi"{{(previous is null ? "" : $",\"previous_response_id\":\"{previous}\"")}}}""";

    private static async Task<string> CreateAsync(HttpClient http, ListingChanged service)
    {
        var created = await http.PostJsonAsync("/v1/responses", Body(service));
        Assert.Equal(HttpStatusCode.OK, created.StatusCode);
        return (await created.JsonAsync()).Text("id")!;
    }

    /// <summary>A provider of Responses that stores them.</summary>
    private static Func<ReceivedCall, Task> Provider()
    {
        var deleted = false;
        return call =>
        {
            var id = "resp_" + Guid.CreateVersion7().ToString("n");
            var parts = call.Path.Split('/');
            return (call.Http.Request.Method, parts[^1]) switch
            {
                ("POST", "responses") when call.Body.Contains("\"stream\":true", StringComparison.Ordinal) => StreamAsync(call, id),
                ("POST", "responses") => ProviderScripts.Json(200, Response(id))(call),
                ("GET", "input_items") => ProviderScripts.Json(200, """{"object":"list","data":[]}""")(call),
                ("DELETE", var known) when !deleted => ProviderScripts.Json(200, $$"""{"id":"{{known}}","object":"response","deleted":{{(deleted = true).ToString().ToLowerInvariant()}}}""")(call),
                (_, var known) when !deleted => ProviderScripts.Json(200, Response(known))(call),
                _ => ProviderScripts.Fail(404)(call),
            };
        };
    }

    private static string Response(string id) => $$$"""
        {"id":"{{{id}}}","object":"response","created_at":1,"status":"completed","error":null,"incomplete_details":null,"instructions":null,"metadata":{},"model":"scripted","tools":[],"tool_choice":"auto","parallel_tool_calls":true,
         "temperature":1,"top_p":1,"output":[{"type":"message","id":"msg_1","status":"completed","role":"assistant","content":[{"type":"output_text","text":"Hello","annotations":[]}]}],
         "usage":{"input_tokens":9,"input_tokens_details":{"cached_tokens":0},"output_tokens":4,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":13}}
        """;

    private static async Task StreamAsync(ReceivedCall call, string id)
    {
        await ProviderScripts.BeginStreamAsync(call);
        await ProviderScripts.SendAsync(call, Event("response.created", $$"""{"id":"{{id}}","status":"in_progress"}"""));
        await ProviderScripts.SendAsync(call, Event("response.completed", $$$"""{"id":"{{{id}}}","status":"completed","usage":{"input_tokens":9,"output_tokens":4}}"""));
    }

    private static string Event(string type, string response) => $"event: {type}\ndata: {{\"type\":\"{type}\",\"sequence_number\":0,\"response\":{response}}}\n\n";

    private async Task<(CreatedKey Key, Member Member, ListingChanged Service)> CallerAsync(int replicas = 0)
    {
        var service = await marketplace.AddServiceAsync(Provider(), Pricing, EndpointProtocol.OpenAi, Responses);
        if (replicas > 0)
        {
            var version = service.Versions[0];
            var endpoint = version.Specification.Endpoint;
            var others = Enumerable.Range(1, replicas).Select(i => new EndpointReplica($"replica-{i}", $"{endpoint.Url}/{i}", 1, null));
            service = service with { Versions = [version with { VersionId = version.VersionId, Specification = version.Specification with { Endpoint = endpoint with { Replicas = [.. others] } } }] };
            await marketplace.TellAsync(service);
            await marketplace.KnowsAsync(service, known => known.Endpoints.Count == replicas + 1);
        }

        var member = await marketplace.AddOrganisationAsync();
        return (await member.CreateKeyAsync(), member, service);
    }
}

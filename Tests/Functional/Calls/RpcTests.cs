using System.Text.Json.Nodes;
using Google.Protobuf;
using Google.Rpc;
using Grpc.Core;
using Grpc.Net.Client;
using Grpc.Reflection.V1Alpha;
using LlmMarketplace.Consumption.V1;
using Microsoft.AspNetCore.Http;

namespace LlmMarketplace.Functional.Calls;

/// <summary>Calls by gRPC, with Google's tools and Microsoft's client, at the one public address and without TLS.</summary>
public sealed class RpcTests(SharedMarketplace shared)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_call_is_answered_recorded_and_repeated_as_over_HTTP()
    {
        var (market, model, name) = await ModelAsync((context, _) => ScriptedModel.CompleteAsync(context, "Hello.", input: 10, output: 5));
        var (_, key) = await market.ConsumerOfAsync(name);
        using var channel = GrpcChannel.ForAddress(market.Address);
        var client = new ConsumptionService.ConsumptionServiceClient(channel);

        var (head, body) = await RouteAsync(client, key.Text, Chat(name), ("idempotency-key", "one"), ("x-marketplace-user", "customer-7"));
        var record = await market.RecordAsync(key, head.Headers["x-request-id"]);
        var (repeated, same) = await RouteAsync(client, key.Text, Chat(name), ("idempotency-key", "one"));

        Assert.Equal((200, "Hello."), (head.Status, (string)JsonNode.Parse(body)!["choices"]![0]!["message"]!["content"]!));
        Assert.StartsWith("application/json", head.Headers["content-type"], StringComparison.Ordinal);
        Assert.Equal($"{name}@1.0.0", head.Headers["x-marketplace-model"]);
        Assert.Equal(("chat.completions", "completed", "customer-7", 0.00005m), ((string)record["operation"]!, (string)record["outcome"]!, (string)record["endUser"]!, (decimal)record["cost"]!));
        Assert.Equal((body, "true", 1), (same, repeated.Headers["idempotent-replayed"], model.CallsOf(name.Split('/')[1])));
    }

    [Fact]
    public async Task A_stream_arrives_as_it_is_made()
    {
        var heard = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var (market, _, name) = await ModelAsync(async (context, _) =>
        {
            await ScriptedModel.BeginAsync(context);
            await ScriptedModel.SayAsync(context, "One");
            await heard.Task.WaitAsync(context.RequestAborted);
            await ScriptedModel.SayAsync(context, "two");
            await ScriptedModel.EndAsync(context, 10, 5);
        });
        var (_, key) = await market.ConsumerOfAsync(name);
        using var channel = GrpcChannel.ForAddress(market.Address);

        using var call = new ConsumptionService.ConsumptionServiceClient(channel).RouteRequest(Chat(name, stream: true), Bearer(key.Text), cancellationToken: Cancellation);
        Assert.True(await call.ResponseStream.MoveNext(Cancellation));
        var first = call.ResponseStream.Current;
        heard.SetResult();
        var rest = "";
        await foreach (var part in call.ResponseStream.ReadAllAsync(Cancellation))
        {
            Assert.Equal((0, 0), (part.Status, part.Headers.Count));
            rest += part.Body.ToStringUtf8();
        }

        Assert.Equal((200, "text/event-stream"), (first.Status, first.Headers["content-type"].Split(';')[0]));
        Assert.Contains("One", first.Body.ToStringUtf8(), StringComparison.Ordinal);
        Assert.Contains("two", rest, StringComparison.Ordinal);
        Assert.EndsWith("data: [DONE]\n\n", rest, StringComparison.Ordinal);
        Assert.Equal("completed", (string)(await market.RecordAsync(key, first.Headers["x-request-id"]))["outcome"]!);
    }

    [Fact]
    public async Task Who_hangs_up_is_recorded_as_gone()
    {
        var left = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var (market, _, name) = await ModelAsync(async (context, _) =>
        {
            await ScriptedModel.BeginAsync(context);
            await ScriptedModel.SayAsync(context, "One");
            using var gone = context.RequestAborted.Register(left.SetResult);
            await left.Task;
        });
        var (_, key) = await market.ConsumerOfAsync(name);
        using var channel = GrpcChannel.ForAddress(market.Address);

        string id;
        using (var call = new ConsumptionService.ConsumptionServiceClient(channel).RouteRequest(Chat(name, stream: true), Bearer(key.Text), cancellationToken: Cancellation))
        {
            Assert.True(await call.ResponseStream.MoveNext(Cancellation));
            id = call.ResponseStream.Current.Headers["x-request-id"];
        }

        await left.Task.WaitAsync(TimeSpan.FromMinutes(1), Cancellation);
        Assert.Equal("abandoned", (string)(await market.RecordAsync(key, id))["outcome"]!);
    }

    [Fact]
    public async Task Who_hangs_up_with_an_idempotency_key_finds_the_whole_answer_later()
    {
        var left = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var (market, model, name) = await ModelAsync(async (context, _) =>
        {
            await ScriptedModel.BeginAsync(context);
            await ScriptedModel.SayAsync(context, "One");
            await left.Task;
            await ScriptedModel.SayAsync(context, "two");
            await ScriptedModel.EndAsync(context, 10, 5);
        });
        var (_, key) = await market.ConsumerOfAsync(name);
        using var channel = GrpcChannel.ForAddress(market.Address);
        var client = new ConsumptionService.ConsumptionServiceClient(channel);
        var headers = Bearer(key.Text);
        headers.Add("idempotency-key", "later");

        string id;
        using (var call = client.RouteRequest(Chat(name, stream: true), headers, cancellationToken: Cancellation))
        {
            Assert.True(await call.ResponseStream.MoveNext(Cancellation));
            id = call.ResponseStream.Current.Headers["x-request-id"];
        }

        await client.CheckQuotaAsync(new CheckQuotaRequest(), Bearer(key.Text), cancellationToken: Cancellation); // On the same connection: the marketplace has read that the caller left.
        left.SetResult();
        var record = await market.RecordAsync(key, id);
        var (head, body) = await RouteAsync(client, key.Text, Chat(name, stream: true), ("idempotency-key", "later"));

        Assert.Equal(("completed", id, 1), ((string)record["outcome"]!, head.Headers["x-request-id"], model.CallsOf(name.Split('/')[1])));
        Assert.Contains("two", body, StringComparison.Ordinal);
        Assert.EndsWith("data: [DONE]\n\n", body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Refusals_are_statuses_with_details()
    {
        var (market, _, name) = await ModelAsync((context, _) => ScriptedModel.CompleteAsync(context, "Hello."));
        var (_, key) = await market.ConsumerOfAsync(name);
        using var channel = GrpcChannel.ForAddress(market.Address);
        var client = new ConsumptionService.ConsumptionServiceClient(channel);

        Assert.Equal((StatusCode.Unauthenticated, "missing_api_key", ""), await RefusedAsync(() => RouteAsync(client, null, Chat(name))));
        Assert.Equal((StatusCode.Unauthenticated, "invalid_api_key", ""), await RefusedAsync(() => client.CheckQuotaAsync(new CheckQuotaRequest(), Bearer("llm_mk_wrong"), cancellationToken: Cancellation).ResponseAsync));
        Assert.Equal((StatusCode.NotFound, "model_not_found", "model"), await RefusedAsync(() => RouteAsync(client, key.Text, Chat("nobody/nothing"))));
        Assert.Equal((StatusCode.NotFound, "not_found", ""), await RefusedAsync(() => RouteAsync(client, key.Text, new RouteRequestRequest { Operation = "invoke", ServiceId = Guid.CreateVersion7().ToString(), Body = ByteString.CopyFromUtf8("{}") })));
        Assert.Equal((StatusCode.InvalidArgument, "unknown_url", "operation"), await RefusedAsync(() => RouteAsync(client, key.Text, new RouteRequestRequest { Operation = "audio.transcriptions" })));
    }

    [Fact]
    public async Task A_rest_service_is_invoked_and_what_its_document_does_not_allow_is_named_field_by_field()
    {
        var (market, model) = (await shared.MarketAsync(), await shared.ModelAsync());
        var name = Market.Unique("rest");
        model.Play(name, context => context.Response.WriteAsJsonAsync(new { text = "Guten Tag" }, CancellationToken.None));
        var publication = await Market.PublishAsync(await market.MemberAsync((await market.ScriptedAsync()).Id, "provider"), name, Declarations.Rest(name));
        var (_, key) = await market.ConsumerOfAsync(publication.Model);
        using var channel = GrpcChannel.ForAddress(market.Address);
        var client = new ConsumptionService.ConsumptionServiceClient(channel);
        RouteRequestRequest Invoke(string body) => new() { Operation = "invoke", ServiceId = publication.Listing.ToString(), Body = ByteString.CopyFromUtf8(body) };

        // Its document follows the listing within a moment.
        var fields = await Until.SomethingAsync("the document being known", async () =>
            await RefusedAsync(() => RouteAsync(client, key.Text, Invoke("""{ "body": { "text": 1 } }"""))) is { Code: not StatusCode.Unavailable } refused ? refused.ToString() : null);
        var (head, body) = await RouteAsync(client, key.Text, Invoke($$"""{ "parameters": { "language": "de" }, "body": { "model": "{{name}}", "text": "Good day" } }"""));

        Assert.Equal("(InvalidArgument, invalid_request, /parameters/language /body/model /body/text)", fields);
        Assert.Equal((200, """{"text":"Guten Tag"}"""), (head.Status, body));
    }

    [Fact]
    public async Task A_key_asks_what_is_left_of_its_limits_and_budgets()
    {
        var (market, _, name) = await ModelAsync((context, _) => ScriptedModel.CompleteAsync(context, "Hello.", input: 10, output: 5));
        var (consumer, _) = await market.ConsumerOfAsync(name);
        var key = await Market.KeyAsync(consumer, Declarations.Budget(0.5m));
        await market.AwaitModelAsync(key, name);
        using var channel = GrpcChannel.ForAddress(market.Address);
        var client = new ConsumptionService.ConsumptionServiceClient(channel);
        await RouteAsync(client, key.Text, Chat(name));

        var quota = await Until.SomethingAsync("the settled call", async () =>
            await client.CheckQuotaAsync(new CheckQuotaRequest(), Bearer(key.Text), cancellationToken: Cancellation) is { Key.Budget.Spent: "0.00005" } settled ? settled : null);

        Assert.Equal((key.Id.ToString(), "premium", "0.5", "0.49995", "total"), (quota.KeyId, quota.Tier, quota.Key.Budget.Amount, quota.Key.Budget.Remaining, quota.Key.Budget.Period));
        Assert.Equal((10_000_000, 10_000_000 - 15), (quota.Organisation.TokensPerMonth.Limit, quota.Organisation.TokensPerMonth.Remaining));
        Assert.Null(quota.Key.TokensPerMonth);
    }

    [Fact]
    public async Task Tools_learn_the_service_by_reflection()
    {
        using var channel = GrpcChannel.ForAddress((await shared.MarketAsync()).Address);
        using var call = new ServerReflection.ServerReflectionClient(channel).ServerReflectionInfo(cancellationToken: Cancellation);
        await call.RequestStream.WriteAsync(new ServerReflectionRequest { ListServices = "" }, Cancellation);

        Assert.True(await call.ResponseStream.MoveNext(Cancellation));
        Assert.Contains(call.ResponseStream.Current.ListServicesResponse.Service, service => service.Name == "marketplace.v1.ConsumptionService");
        await call.RequestStream.CompleteAsync();
    }

    private async Task<(Market Market, ScriptedModel Model, string Name)> ModelAsync(Func<HttpContext, string, Task> script)
    {
        var (market, model) = (await shared.MarketAsync(), await shared.ModelAsync());
        var name = Market.Unique("rpc");
        model.Play(name, context => script(context, name));
        return (market, model, await market.ScriptedModelAsync(name));
    }

    private static RouteRequestRequest Chat(string model, bool stream = false) => new()
    {
        Operation = "chat.completions",
        Body = ByteString.CopyFromUtf8(new JsonObject { ["model"] = model, ["stream"] = stream, ["max_tokens"] = 20, ["messages"] = new JsonArray(new JsonObject { ["role"] = "user", ["content"] = "Hello" }) }.ToJsonString()),
    };

    private static Metadata Bearer(string key) => new() { { "authorization", $"Bearer {key}" } };

    private static async Task<(RouteRequestResponse Head, string Body)> RouteAsync(ConsumptionService.ConsumptionServiceClient client, string? key, RouteRequestRequest request, params (string Name, string Value)[] metadata)
    {
        var headers = key is null ? [] : Bearer(key);
        foreach (var (name, value) in metadata)
        {
            headers.Add(name, value);
        }

        using var call = client.RouteRequest(request, headers, cancellationToken: Cancellation);
        RouteRequestResponse? head = null;
        var body = "";
        await foreach (var part in call.ResponseStream.ReadAllAsync(Cancellation))
        {
            head ??= part;
            body += part.Body.ToStringUtf8();
        }

        return (head!, body);
    }

    /// <summary>The status, the reason, and the fields at fault.</summary>
    private static async Task<(StatusCode Code, string Reason, string Fields)> RefusedAsync(Func<Task> call)
    {
        var refused = await Assert.ThrowsAsync<RpcException>(call);
        var details = refused.GetRpcStatus()!;
        Assert.Equal((int)refused.StatusCode, details.Code);
        Assert.Equal("marketplace.v1", details.GetDetail<ErrorInfo>().Domain);
        var fields = details.GetDetail<BadRequest>()?.FieldViolations.Select(field => field.Field) ?? [];
        return (refused.StatusCode, details.GetDetail<ErrorInfo>().Reason, string.Join(' ', fields));
    }
}

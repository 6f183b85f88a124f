using System.Net;
using LlmMarketplace.Consumption.Calls;
using LlmMarketplace.Consumption.Tests.Surfaces;
using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Servers;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Serving;

/// <summary>How long the memory of a request's body is held.</summary>
public sealed class ForgottenBodiesTests(Marketplace marketplace)
{
    private RunningCalls Running => marketplace.Service.App.Services.GetRequiredService<RunningCalls>();

    [Fact]
    public async Task A_streams_body_is_let_go_when_its_answer_begins()
    {
        var (script, finish) = Begun("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hello\"}}]}\n\n");
        using var shop = await Shop.OpenAsync(marketplace, script);
        using var answer = await shop.StreamAsync();
        using var reader = new StreamReader(await answer.Content.ReadAsStreamAsync());
        await reader.ReadLineAsync();

        var call = Running.Find(answer.RequestId())!.Call!;

        Assert.Null(call.Sent);
        Assert.ThrowsAny<ArgumentException>(() => call.Body!.Bytes);
        finish.SetResult();
        Assert.Contains("[DONE]", await reader.ReadToEndAsync(), StringComparison.Ordinal);
        Assert.Equal("completed", (await shop.RecordAsync(answer)).Text("outcome"));
    }

    [Fact]
    public async Task A_streams_form_is_kept_for_its_file_may_have_to_be_measured()
    {
        var (script, finish) = Begun("data: {\"type\":\"transcript.text.delta\",\"delta\":\"Hello\"}\n\n");
        var pricing = new ServicePricing(PricingModel.PerRequest, "USD", [new PriceRate("default", "request", 0.01m, null, null)]);
        var service = await marketplace.AddServiceAsync(script, pricing, EndpointProtocol.OpenAi, [ServiceSurfaces.AudioTranscriptions], category: "speech-to-text");
        using var client = (await (await marketplace.AddOrganisationAsync()).CreateKeyAsync()).Client();
        using var form = new MultipartFormDataContent { { new StringContent($"acme/{service.Name}"), "model" }, { new ByteArrayContent(Sound.Wav(1)), "file", "a.wav" }, { new StringContent("true"), "stream" } };
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/audio/transcriptions") { Content = form };
        using var answer = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        using var reader = new StreamReader(await answer.Content.ReadAsStreamAsync());
        await reader.ReadLineAsync();

        var call = Running.Find(answer.RequestId())!.Call!;

        Assert.True(call.Body!.Bytes.Length > Sound.Wav(1).Length);
        finish.SetResult();
        await reader.ReadToEndAsync();
    }

    [Fact]
    public async Task A_body_that_is_still_being_sent_is_kept()
    {
        var bytes = """{"model":"a/b","stream":true}"""u8.ToArray();
        var http = new DefaultHttpContext();
        (http.Request.Body, http.Request.ContentType, http.Request.ContentLength) = (new MemoryStream(bytes), "application/json", bytes.Length);
        using var running = Running.Enter(http, Guid.CreateVersion7())!;
        var call = new Call(http, Surface.ChatCompletions, Guid.CreateVersion7(), 0) { Running = running, Request = ReadCallRequest.Read(Surface.ChatCompletions, bytes, 64).Request };
        using var body = call.Body = (await RequestBody.ReadAsync(http, 1_024)).Body!;
        using var sent = call.Sent = EditedBody.Of(Surface.ChatCompletions, body.Bytes, call.Request!, "m", null);

        call.ForgetBody();
        Assert.Equal((sent, bytes.Length), (call.Sent, body.Bytes.Length));
        await sent.CopyToAsync(Stream.Null, TestContext.Current.CancellationToken);
        call.ForgetBody();
        Assert.Null(call.Sent);
    }

    private static (Func<ReceivedCall, Task> Script, TaskCompletionSource Finish) Begun(string first)
    {
        var finish = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        return (async call =>
        {
            await ProviderScripts.BeginStreamAsync(call);
            await ProviderScripts.SendAsync(call, first);
            await finish.Task;
            await ProviderScripts.SendAsync(call, "data: [DONE]\n\n");
        }, finish);
    }
}

#pragma warning disable OPENAI001 // Streams of transcriptions are new in the client.
using System.ClientModel;
using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using LlmMarketplace.Consumption.Calls;
using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Servers;
using Microsoft.AspNetCore.Http;
using OpenAI;
using OpenAI.Audio;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Surfaces;

/// <summary>Transcriptions and translations, by OpenAI's own client where it can say what is wanted.</summary>
public sealed class AudioTests(Marketplace marketplace)
{
    private const string Token = "{\"text\":\"Hello there\",\"usage\":{\"type\":\"tokens\",\"input_tokens\":100,\"input_token_details\":{\"audio_tokens\":90,\"text_tokens\":10},\"output_tokens\":20,\"total_tokens\":120}}";
    private static readonly ServicePricing ByTokens = new(PricingModel.PerToken, "USD", [new PriceRate("default", "1m-tokens", 2.5m, 10m, null) { AudioInput = 6m }]);
    private static readonly ServicePricing ByMinute = new(PricingModel.PerRequest, "USD", [new PriceRate("default", "request", 0m, null, null) { AudioMinute = 0.006m }]);

    [Fact]
    public async Task A_transcription_reaches_the_provider_as_it_came_but_for_the_model()
    {
        var (key, _, service) = await CallerAsync(ProviderScripts.Json(200, Token), ByTokens);
        using var client = key.Client();
        var file = Sound.Wav(1);
        using var form = new MultipartFormDataContent("a-boundary")
        {
            { new ByteArrayContent(file) { Headers = { ContentType = new MediaTypeHeaderValue("audio/wav") } }, "file", "a.wav" },
            { new StringContent($"acme/{service.Name}"), "model" },
            { new StringContent("de"), "language" },
            { new StringContent("logprobs"), "include[]" },
        };
        var sent = await form.ReadAsByteArrayAsync();

        var answer = await client.PostAsync("/v1/audio/transcriptions", form);

        Assert.Equal(Token, await answer.Content.ReadAsStringAsync());
        var (seen, path) = marketplace.Seen(answer);
        Assert.Equal("/v1/audio/transcriptions", path);
        Assert.Equal("multipart/form-data; boundary=\"a-boundary\"", seen.Headers["content-type"]);
        Assert.Equal(Replace(sent, $"acme/{service.Name}", "scripted-model"), seen.Bytes.ToArray());
    }

    [Fact]
    public async Task A_transcription_is_charged_by_its_tokens_of_sound_and_text()
    {
        var (key, member, service) = await CallerAsync(ProviderScripts.Json(200, Token), ByTokens);

        var heard = await Client(key, service).TranscribeAudioAsync(new MemoryStream(Sound.Wav(1)), "a.wav");

        Assert.Equal("Hello there", heard.Value.Text);
        var record = await member.RecordAsync(RequestId(heard));
        Assert.Equal(("audio.transcriptions", false, 100, 20), (record.Text("operation"), record.GetProperty("usageCounted").GetBoolean(), record.GetProperty("inputTokens").GetInt32(), record.GetProperty("outputTokens").GetInt32()));
        Assert.Equal(((10 * 2.5m) + (90 * 6m) + (20 * 10m)) / 1_000_000m, record.GetProperty("cost").GetDecimal());
    }

    [Theory]
    [InlineData("""{"text":"Hello","usage":{"type":"duration","seconds":27}}""", 27, false)]
    [InlineData("""{"task":"transcribe","language":"english","duration":8.47,"text":"Hello","segments":[]}""", 8.47, false)]
    [InlineData("""{"task":"transcribe","language":"english","duration":"8.47","text":"Hello"}""", 8.47, false)]
    [InlineData("""{"text":"Hello"}""", 3.00275, true)]
    public async Task Time_is_charged_by_the_providers_seconds_or_else_by_the_files(string said, double seconds, bool counted)
    {
        var (key, member, service) = await CallerAsync(ProviderScripts.Json(200, said), ByMinute);
        using var client = key.Client();

        var heard = await client.PostAsync("/v1/audio/transcriptions", Form(service, Sound.Wav(3)));

        var record = await member.RecordAsync(heard.RequestId());
        Assert.Equal(counted, record.GetProperty("usageCounted").GetBoolean());
        Assert.Equal((decimal)seconds * 0.006m / 60m, record.GetProperty("cost").GetDecimal());
    }

    [Fact]
    public async Task Subtitles_pass_as_text_and_are_charged_by_the_length_of_the_file()
    {
        const string subtitles = "1\n00:00:00,000 --> 00:00:01,000\nHello\n";
        var (key, member, service) = await CallerAsync(Plain(subtitles), ByMinute, ServiceSurfaces.AudioTranslations);

        var heard = await Client(key, service).TranslateAudioAsync(new MemoryStream(Sound.Mp3(200)), "a.mp3", new AudioTranslationOptions { ResponseFormat = AudioTranslationFormat.Srt });

        Assert.Equal(subtitles, heard.GetRawResponse().Content.ToString());
        var record = await member.RecordAsync(RequestId(heard));
        Assert.Equal(("audio.translations", true), (record.Text("operation"), record.GetProperty("usageCounted").GetBoolean()));
        Assert.Equal(200 * 1_152 / 44_100d * 0.0001, (double)record.GetProperty("cost").GetDecimal(), 5);
    }

    [Fact]
    public async Task A_streamed_transcription_ends_with_its_usage_and_is_charged_by_it()
    {
        const string done = """{"type":"transcript.text.done","text":"Hello there","usage":{"type":"tokens","input_tokens":100,"input_token_details":{"audio_tokens":100},"output_tokens":7,"total_tokens":107}}""";
        var (key, member, service) = await CallerAsync(Events("""{"type":"transcript.text.delta","delta":"Hello"}""", """{"type":"transcript.text.delta","delta":" there"}""", done), ByTokens);

        var heard = new List<StreamingAudioTranscriptionUpdate>();
        var stream = Client(key, service).TranscribeAudioStreamingAsync(new MemoryStream(Sound.Wav(1)), "a.wav");
        await foreach (var update in await stream)
        {
            heard.Add(update);
        }

        Assert.Equal("Hello there", string.Concat(heard.OfType<StreamingAudioTranscriptionTextDeltaUpdate>().Select(delta => delta.Delta)));
        Assert.Equal("Hello there", Assert.Single(heard.OfType<StreamingAudioTranscriptionTextDoneUpdate>()).Text);
        await marketplace.ShippedAsync(member.Id);
        Assert.Equal(((100 * 6m) + (7 * 10m)) / 1_000_000m, (await member.UsageAsync()).GetProperty("total").GetProperty("cost").GetDecimal());
    }

    [Fact]
    public async Task A_cut_stream_of_a_transcription_ends_with_an_error_event()
    {
        var (script, arrived) = SurfaceMarket.CutAfter("data: {\"type\":\"transcript.text.delta\",\"delta\":\"Hello, hello\"}\n\n");
        var (key, member, service) = await CallerAsync(script, ByMinute);
        using var client = key.Client();
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/audio/transcriptions") { Content = Form(service, Sound.Wav(2), ("stream", "true")) };

        using var answer = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        using var reader = new StreamReader(await answer.Content.ReadAsStreamAsync());
        Assert.Contains("transcript.text.delta", await reader.ReadLineAsync(), StringComparison.Ordinal);
        arrived.SetResult();
        var rest = await reader.ReadToEndAsync();

        Assert.Equal("provider_error", JsonElement.Parse(rest.Trim()["data: ".Length..]).GetProperty("error").Text("code"));
        var record = await member.RecordAsync(answer.RequestId());
        Assert.Equal(("cut", true), (record.Text("outcome"), record.GetProperty("usageCounted").GetBoolean()));
        Assert.Equal(2.00275m * 0.0001m, record.GetProperty("cost").GetDecimal());
    }

    [Fact]
    public async Task No_file_costs_more_than_was_reserved_and_what_does_not_fit_the_budget_is_refused()
    {
        var (key, member, service) = await CallerAsync(ProviderScripts.Json(200, """{"text":"Hello","usage":{"type":"duration","seconds":60}}"""), ByMinute);
        await member.SetBudgetAsync(0.0061m);
        using var client = key.Client();

        var tooLong = await client.PostAsync("/v1/audio/transcriptions", Form(service, Sound.Wav(62)));
        var unknownRate = await client.PostAsync("/v1/audio/transcriptions", Form(service, new byte[31_000])); // At 500 bytes a second, the least there is: 62 seconds.
        var fits = await client.PostAsync("/v1/audio/transcriptions", Form(service, Sound.Wav(60)));

        Assert.Equal("insufficient_quota", (await tooLong.ErrorAsync()).Code);
        Assert.Equal("insufficient_quota", (await unknownRate.ErrorAsync()).Code);
        Assert.Equal(HttpStatusCode.OK, fits.StatusCode);
    }

    [Theory]
    [InlineData(32, 100)] // bytes a frame
    [InlineData(28, 255)] // bytes a second
    [InlineData(20, 85)] // the tag: MP3 within WAV
    public async Task A_header_that_lies_does_not_make_a_file_shorter_than_it_can_be(int at, byte value)
    {
        var (key, member, service) = await CallerAsync(ProviderScripts.Json(200, """{"text":"Hello"}"""), ByMinute);
        await member.SetBudgetAsync(0.0061m);
        using var client = key.Client();
        var file = Sound.Wav(62);
        file[at] = value;

        var answer = await client.PostAsync("/v1/audio/transcriptions", Form(service, file));

        Assert.Equal("insufficient_quota", (await answer.ErrorAsync()).Code);
    }

    [Theory]
    [InlineData("")]
    [InlineData("OggS and no page")]
    [InlineData("fLaC and no block")]
    [InlineData("\0\0\0\u0018ftypM4A \0\0\0\0 and no sound")]
    public async Task A_broken_file_is_refused_by_name_where_time_costs_before_anything_is_reserved(string file)
    {
        var (key, member, service) = await CallerAsync(ProviderScripts.Json(200, """{"text":"Hello"}"""), ByMinute);
        using var client = key.Client();

        var answer = await client.PostAsync("/v1/audio/transcriptions", Form(service, System.Text.Encoding.Latin1.GetBytes(file)));

        Assert.Equal(new OpenAiError(400, "invalid_request_error", "invalid_value", "file"), await answer.ErrorAsync());
        Assert.Equal(0, (await member.UsageAsync()).GetProperty("total").GetProperty("calls").GetInt64());
    }

    [Fact]
    public void A_file_of_sound_is_measured_in_bounded_memory_whatever_it_says()
    {
        var tag = new byte[20_000_000];
        ((ReadOnlySpan<byte>)[(byte)'I', (byte)'D', (byte)'3', 4, 0, 0, 0x7F, 0x7F, 0x7F, 0x7F]).CopyTo(tag); // Of 256 MB.
        var boxes = new byte[20_000_000];
        for (var at = 0; at < boxes.Length; at += 8)
        {
            ((ReadOnlySpan<byte>)[0, 0, 0, 8, (byte)'f', (byte)'r', (byte)'e', (byte)'e']).CopyTo(boxes.AsSpan(at));
        }

        ((ReadOnlySpan<byte>)[0, 0, 0, 8, (byte)'f', (byte)'t', (byte)'y', (byte)'p', 1, 0x31, 0x2D, 0, (byte)'m', (byte)'o', (byte)'o', (byte)'v']).CopyTo(boxes);
        byte[] texts = [.. Sound.Mp3(10), .. tag, .. "APETAGEX"u8, 0xD0, 0x07, 0, 0, 0, 0, 0x31, 1, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

        foreach (var file in (byte[][])[tag, boxes, texts])
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            AudioLength.Seconds(file);
            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 64_000_000);
        }
    }

    [Fact]
    public void The_length_of_MP3_is_told_whatever_stands_before_it()
    {
        var sound = Sound.Mp3(1_000);
        byte[] tagged = [(byte)'I', (byte)'D', (byte)'3', 4, 0, 0, 0, 0x7F, 0x7F, 0x7F, .. new byte[0x1FFFFF], .. sound];

        Assert.InRange(AudioLength.Seconds(sound)!.Value, 25.9m, 26.3m); // 1 000 frames of 1 152 samples.
        Assert.Equal(AudioLength.Seconds(sound), AudioLength.Seconds(tagged));
    }

    [Fact]
    public async Task Sound_without_a_price_is_refused_by_name_before_anything_is_reserved()
    {
        var (key, member, service) = await CallerAsync(ProviderScripts.Fail(500), Prices.PerMillionTokens(2m, 8m));
        using var client = key.Client();

        var answer = await client.PostAsync("/v1/audio/transcriptions", Form(service, Sound.Wav(1)));

        Assert.Equal(new OpenAiError(400, "invalid_request_error", "not_priced", "file"), await answer.ErrorAsync());
        Assert.Equal(0, (await member.UsageAsync()).GetProperty("total").GetProperty("calls").GetInt64());
    }

    [Theory]
    [InlineData("--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\nxx\r\n--b--\r\n", "invalid_value", "model")]
    [InlineData("--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nacme/x\r\n--b--\r\n", "invalid_value", "file")]
    [InlineData("--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nacme/x\r\n--b\r\nContent-Disposition: form-data; name=model\r\n\r\nacme/y\r\n--b--\r\n", "duplicate_field", "model")]
    [InlineData("--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nacme/x\r\n--b\r\nContent-Disposition: form-data; name=\"Model\"\r\n\r\nacme/y\r\n--b--\r\n", "invalid_value", "model")]
    [InlineData("--b\r\nContent-Disposition: form-data; name=\"model\"; name*=utf-8''file\r\n\r\nacme/x\r\n--b--\r\n", "invalid_form", null)]
    [InlineData("--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nacme/x\r\n--b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nxx\r\n--b\r\nContent-Disposition: form-data; name=\"stream\"\r\n\r\nmaybe\r\n--b--\r\n", "invalid_value", "stream")]
    [InlineData("--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nacme/x\r\n", "invalid_form", null)]
    [InlineData("no form at all", "invalid_form", null)]
    [InlineData("", "invalid_form", null)]
    public async Task A_form_that_is_not_whole_or_can_be_read_in_two_ways_is_refused(string form, string code, string? param)
    {
        var member = await marketplace.AddOrganisationAsync();
        using var client = (await member.CreateKeyAsync()).Client();
        using var content = new StringContent(form);
        content.Headers.ContentType = MediaTypeHeaderValue.Parse("multipart/form-data; boundary=b");

        var answer = await client.PostAsync("/v1/audio/transcriptions", content);

        Assert.Equal(new OpenAiError(400, "invalid_request_error", code, param), await answer.ErrorAsync());
    }

    [Fact]
    public async Task A_repeated_form_is_known_by_its_parts_whatever_its_boundary()
    {
        var (key, member, service) = await CallerAsync(ProviderScripts.Json(200, Token), ByTokens);
        using var client = key.Client();
        client.DefaultRequestHeaders.Add("Idempotency-Key", "one");

        var first = await client.PostAsync("/v1/audio/transcriptions", Form(service, Sound.Wav(1)));
        await marketplace.ShippedAsync(member.Id);
        var repeat = await client.PostAsync("/v1/audio/transcriptions", Form(service, Sound.Wav(1)));
        var other = await client.PostAsync("/v1/audio/transcriptions", Form(service, Sound.Wav(2)));

        Assert.Equal(await first.Content.ReadAsStringAsync(), await repeat.Content.ReadAsStringAsync());
        Assert.Equal("true", repeat.Header("idempotent-replayed"));
        Assert.Equal("idempotency_key_reused", (await other.ErrorAsync()).Code);
        Assert.Equal(1, (await member.UsageAsync()).GetProperty("total").GetProperty("calls").GetInt64());
    }

    [Fact]
    public async Task A_transcription_that_is_no_form_is_refused()
    {
        var member = await marketplace.AddOrganisationAsync();
        using var client = (await member.CreateKeyAsync()).Client();

        var answer = await client.PostJsonAsync("/v1/audio/transcriptions", """{"model":"acme/x"}""");

        Assert.Equal(new OpenAiError(415, "invalid_request_error", "unsupported_media_type", null), await answer.ErrorAsync());
    }

    private static MultipartFormDataContent Form(ListingChanged service, byte[] file, params (string Name, string Value)[] fields)
    {
        var form = new MultipartFormDataContent { { new ByteArrayContent(file), "file", "a.wav" }, { new StringContent($"acme/{service.Name}"), "model" } };
        foreach (var (name, value) in fields)
        {
            form.Add(new StringContent(value), name);
        }

        return form;
    }

    private static Func<ReceivedCall, Task> Plain(string text) => call =>
    {
        call.Http.Response.ContentType = "text/plain; charset=utf-8";
        return call.Http.Response.WriteAsync(text);
    };

    private static Func<ReceivedCall, Task> Events(params string[] events) => async call =>
    {
        await ProviderScripts.BeginStreamAsync(call);
        foreach (var one in events)
        {
            await ProviderScripts.SendAsync(call, $"data: {one}\n\n");
        }
    };

    private static AudioClient Client(CreatedKey key, ListingChanged service)
    {
        using var http = key.Client();
        return new AudioClient($"acme/{service.Name}", new ApiKeyCredential(key.Text), new OpenAIClientOptions { Endpoint = new Uri(http.BaseAddress!, "v1") });
    }

    private static Guid RequestId<T>(ClientResult<T> result) => Guid.Parse(result.GetRawResponse().Headers.TryGetValue("x-request-id", out var id) ? id! : "");

    private static byte[] Replace(byte[] bytes, string old, string other)
    {
        var at = bytes.AsSpan().IndexOf(System.Text.Encoding.UTF8.GetBytes(old));
        return [.. bytes[..at], .. System.Text.Encoding.UTF8.GetBytes(other), .. bytes[(at + old.Length)..]];
    }

    private async Task<(CreatedKey Key, Member Member, ListingChanged Service)> CallerAsync(Func<ReceivedCall, Task> script, ServicePricing pricing, string surface = ServiceSurfaces.AudioTranscriptions)
    {
        var service = await marketplace.AddServiceAsync(script, pricing, EndpointProtocol.OpenAi, [surface], category: "speech-to-text");
        var member = await marketplace.AddOrganisationAsync();
        return (await member.CreateKeyAsync(), member, service);
    }
}

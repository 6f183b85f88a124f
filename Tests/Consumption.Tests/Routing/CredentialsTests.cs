using System.Globalization;
using System.Net;
using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Servers;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Routing;

/// <summary>Several credentials of one service: which of them a call is sent with.</summary>
public sealed class CredentialsTests(Marketplace marketplace)
{
    private const int Enough = 40;

    [Theory]
    [InlineData(401)]
    [InlineData(402)]
    [InlineData(403)]
    [InlineData(429)]
    public async Task One_that_the_provider_does_not_take_is_set_aside_and_the_call_goes_on_with_another(int status)
    {
        using var shop = await OpenAsync(("default", Refuse(status, "60")), ("second", Hi));

        var refused = await UntilSeenAsync(shop, "default");
        var before = shop.Seen.Count;
        for (var call = 0; call < 10; call++)
        {
            Assert.Equal(HttpStatusCode.OK, (await shop.ChatAsync(isShipped: false)).StatusCode);
        }

        Assert.Equal([("default", status), ("second", 200)], await AttemptsAsync(shop, refused));
        Assert.Equal(["Bearer second"], shop.Seen.Skip(before).Select(Shown).Distinct());
    }

    [Fact]
    public async Task They_share_the_calls()
    {
        using var shop = await OpenAsync(("default", Hi), ("second", Hi));

        await UntilSeenAsync(shop, "default");
        await UntilSeenAsync(shop, "second");
    }

    [Fact]
    public async Task When_the_address_fails_the_next_address_is_asked_and_not_the_next_credential()
    {
        using var shop = await OpenAsync(
            endpoint => endpoint with { Replicas = [new EndpointReplica("spare", $"{endpoint.Url}/spare", 0, null)] },
            call => call.Path.Contains("/spare/", StringComparison.Ordinal) ? ProviderScripts.Chat("hi", 1, 1)(call) : ProviderScripts.Fail(503)(call),
            One("default"),
            One("second"));

        var answer = await shop.ChatAsync();

        var attempts = (await shop.RecordAsync(answer)).GetProperty("attempts").EnumerateArray();
        Assert.Equal([("primary", 503), ("spare", 200)], attempts.Select(attempt => (attempt.Text("endpoint"), attempt.GetProperty("status").GetInt32())));
    }

    [Fact]
    public async Task One_that_names_an_address_is_sent_there_alone_and_no_other_one_is()
    {
        using var shop = await OpenAsync(
            endpoint => endpoint with { Replicas = [new EndpointReplica("east", $"{endpoint.Url}/east", 1, null)] },
            ProviderScripts.Chat("hi", 1, 1),
            One("default"),
            One("for-east", "east"));

        await UntilSeenAsync(shop, "for-east");
        await UntilSeenAsync(shop, "default");

        Assert.All(shop.Seen, call => Assert.Equal(call.Path.Contains("/east/", StringComparison.Ordinal) ? "Bearer for-east" : "Bearer default", Shown(call)));
    }

    [Fact]
    public async Task When_all_are_refused_the_caller_is_told_and_the_next_call_is_sent_all_the_same()
    {
        using var shop = await OpenAsync(("default", Refuse(401)), ("second", Refuse(403)));

        var first = await shop.ChatAsync();
        var next = await shop.ChatAsync();

        Assert.Equal(("provider_misconfigured", "provider_misconfigured"), (await first.ErrorCodeAsync(), await next.ErrorCodeAsync()));
        Assert.Equal(4, shop.Seen.Count);
        Assert.Equal(["default", "second"], (await AttemptsAsync(shop, first)).Select(attempt => attempt.Credential).Order());
    }

    [Fact]
    public async Task When_all_are_to_be_spared_the_provider_is_not_asked_until_the_first_may_be()
    {
        using var shop = await OpenAsync(("default", Refuse(429, "60")), ("second", Refuse(429, "90")));

        var first = await shop.ChatAsync();
        var next = await shop.ChatAsync();

        Assert.Equal((429, 429), ((int)first.StatusCode, (int)next.StatusCode));
        Assert.InRange(int.Parse(next.Header("retry-after")!, CultureInfo.InvariantCulture), 1, 60);
        Assert.Equal(2, shop.Seen.Count);
    }

    [Fact]
    public async Task Another_one_of_the_same_name_is_used_at_once_though_the_former_one_was_refused()
    {
        using var shop = await OpenAsync(("default", Refuse(401)), ("second", Hi));
        await UntilSeenAsync(shop, "default");

        await TellAsync(shop, One("default", text: "mended"), One("second"));

        await UntilSeenAsync(shop, "mended");
    }

    [Fact]
    public async Task Rotation_needs_no_restart_and_a_stream_that_runs_ends_with_what_it_began_with()
    {
        var goOn = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var shop = await OpenAsync(
            endpoint => endpoint,
            async call =>
            {
                if (Shown(call) == "Bearer next")
                {
                    await ProviderScripts.Chat("hi", 1, 1)(call);
                    return;
                }

                await ProviderScripts.BeginStreamAsync(call);
                await ProviderScripts.SendAsync(call, ProviderScripts.Chunk("12345678"));
                await goOn.Task;
                await ProviderScripts.SendAsync(call, "data: [DONE]\n\n");
            },
            One("default"));
        await using var another = await marketplace.StartInstanceAsync();
        using var stream = await shop.StreamAsync();

        await TellAsync(shop, One("next"));
        await KnowAsync(another, shop, 1, "next");
        using var there = shop.Key.Client(another);
        await Until.TrueAsync(async () => (await there.GetAsync($"/v1/models/{shop.Model}")).IsSuccessStatusCode);
        var answers = new[] { await shop.ChatAsync(isShipped: false), await shop.ChatAsync(client: there, isShipped: false) };
        goOn.SetResult();

        Assert.All(answers, answer => Assert.Equal(HttpStatusCode.OK, answer.StatusCode));
        Assert.Contains("[DONE]", await stream.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Equal(["Bearer default", "Bearer next", "Bearer next"], shop.Seen.Select(Shown));
    }

    private static Func<ReceivedCall, Task> Hi => ProviderScripts.Chat("hi", 1, 1);

    private static Func<ReceivedCall, Task> Refuse(int status, string? retryAfter = null) =>
        retryAfter is null ? ProviderScripts.Fail(status) : ProviderScripts.Fail(status, ("retry-after", retryAfter));

    private static Func<Guid, PublishedCredential> One(string name, string? endpoint = null, string? text = null) => version => Marketplace.Encrypt(version, name, text ?? name, endpoint);

    private Task<Shop> OpenAsync(params (string Name, Func<ReceivedCall, Task> Answer)[] credentials) => OpenAsync(
        endpoint => endpoint,
        call => credentials.FirstOrDefault(one => Shown(call) == $"Bearer {one.Name}", (Name: "", Answer: Hi)).Answer(call),
        [.. credentials.Select(one => One(one.Name))]);

    private async Task<Shop> OpenAsync(Func<ServiceEndpoint, ServiceEndpoint> endpoint, Func<ReceivedCall, Task> answer, params Func<Guid, PublishedCredential>[] credentials)
    {
        var shop = await Shop.OpenAsync(marketplace, answer, endpoint: endpoint);
        await TellAsync(shop, credentials);
        return shop;
    }

    /// <summary>As Publishing tells it: one named <c>default</c> stands apart.</summary>
    private async Task TellAsync(Shop shop, params Func<Guid, PublishedCredential>[] credentials)
    {
        var version = shop.Listing.Versions[0];
        var all = credentials.Select(one => one(version.VersionId)).ToList();
        await marketplace.TellAsync(shop.Listing with
        {
            Versions = [version with { Secret = all.Find(one => one.Name == PublishedCredential.Default)?.Secret, Credentials = [.. all.Where(one => one.Name != PublishedCredential.Default)] }],
        });
        await KnowAsync(marketplace.Service, shop, all.Count(one => one.Endpoint is null), all[0].Name, all[0].Secret);
    }

    private static Task KnowAsync(TestService instance, Shop shop, int count, string first, ProtectedSecret? secret = null)
    {
        var catalogue = instance.App.Services.GetRequiredService<Catalogue.Catalogue>();
        return Until.TrueAsync(() => catalogue.Current.Listings.TryGetValue(shop.Model, out var known) && known.Versions[0].Endpoints[0].Credentials is var credentials
            && credentials.Count == count && credentials[0].Name == first && (secret is null || credentials[0].Id.EndsWith(Convert.ToHexStringLower(secret.Nonce), StringComparison.Ordinal)));
    }

    /// <summary>Calls, with success, until the provider was shown a credential. Gives the answer to that call.</summary>
    private static async Task<HttpResponseMessage> UntilSeenAsync(Shop shop, string credential)
    {
        for (var call = 0; call < Enough; call++)
        {
            var answer = await shop.ChatAsync(isShipped: false);
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
            if (shop.Seen.Any(seen => Shown(seen) == $"Bearer {credential}"))
            {
                return answer;
            }
        }

        throw new InvalidOperationException($"{credential} was never used.");
    }

    private static string Shown(ReceivedCall call) => call.Headers["authorization"];

    private static async Task<(string? Credential, int Status)[]> AttemptsAsync(Shop shop, HttpResponseMessage answer) =>
        [.. (await shop.RecordAsync(answer)).GetProperty("attempts").EnumerateArray().Select(attempt => (attempt.Text("credential"), attempt.GetProperty("status").GetInt32()))];
}

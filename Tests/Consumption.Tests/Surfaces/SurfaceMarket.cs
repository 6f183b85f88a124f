using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Servers;
using Microsoft.Extensions.DependencyInjection;

namespace LlmMarketplace.Consumption.Tests.Surfaces;

/// <summary>Services behind endpoints of other protocols and surfaces, each with an answer of its own.</summary>
internal static class SurfaceMarket
{
    public static async Task<ListingChanged> AddServiceAsync(
        this Marketplace marketplace, Func<ReceivedCall, Task> answer, ServicePricing pricing, EndpointProtocol protocol, IReadOnlyList<string>? surfaces = null, string? apiVersion = null,
        string category = "text-generation", Func<ModelFacts, ModelFacts>? model = null)
    {
        var segment = Guid.CreateVersion7().ToString("n");
        marketplace.Provider.AnswerBelow(segment, answer);
        var listing = await marketplace.AddServiceAsync(pricing, category, url: $"http://scripted.local/{segment}/v1");
        var version = listing.Versions[0];
        var endpoint = version.Specification.Endpoint with { Protocol = protocol, Surfaces = surfaces, ApiVersion = apiVersion };
        var facts = model?.Invoke(version.Specification.Model) ?? version.Specification.Model;
        var changed = listing with { Versions = [version with { Specification = version.Specification with { Endpoint = endpoint, Model = facts } }] };
        await marketplace.TellAsync(changed);
        await marketplace.KnowsAsync(changed, known => known.Specification.Model.MaxOutputTokens == facts.MaxOutputTokens && known.Specification.Model.ContextWindow == facts.ContextWindow && known.Specification.Endpoint is { } at && at.Protocol == protocol && at.Surfaces?.Count == surfaces?.Count && at.ApiVersion == apiVersion);
        return changed;
    }

    /// <summary>Waits until calls know a listing's first version as it should be.</summary>
    public static Task KnowsAsync(this Marketplace marketplace, ListingChanged listing, Func<Catalogue.ListedVersion, bool> isIt)
    {
        var catalogue = marketplace.Service.App.Services.GetRequiredService<Catalogue.Catalogue>();
        return Until.TrueAsync(() => isIt(catalogue.Current.Listings[$"{listing.Provider}/{listing.Name}"].Versions[0]));
    }

    /// <summary>A provider that sends these events, and then ends.</summary>
    public static Func<ReceivedCall, Task> Streaming(string events) => async call =>
    {
        await ProviderScripts.BeginStreamAsync(call);
        await ProviderScripts.SendAsync(call, events);
    };

    /// <summary>A provider that sends these events, and breaks off once the caller has them.</summary>
    public static (Func<ReceivedCall, Task> Script, TaskCompletionSource Arrived) CutAfter(string events)
    {
        var arrived = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        return (async call =>
        {
            await ProviderScripts.BeginStreamAsync(call);
            await ProviderScripts.SendAsync(call, events);
            await arrived.Task.WaitAsync(call.Http.RequestAborted);
            await ProviderScripts.Cut(call);
        }, arrived);
    }

    /// <summary>The stream's text; says when its first line has arrived.</summary>
    public static async Task<string> ReadStreamAsync(this HttpClient client, string path, string body, TaskCompletionSource arrived, Action<HttpResponseMessage> answered)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new StringContent(body, System.Text.Encoding.UTF8, "application/json") };
        using var answer = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        answered(answer);
        using var reader = new StreamReader(await answer.Content.ReadAsStreamAsync());
        var first = await reader.ReadLineAsync();
        arrived.SetResult();
        return first + "\n" + await reader.ReadToEndAsync();
    }

    /// <summary>The call as the provider got it, and its path below the service's own address.</summary>
    public static (ReceivedCall Call, string Path) Seen(this Marketplace marketplace, HttpResponseMessage answer)
    {
        var call = Xunit.Assert.Single(marketplace.Provider.Calls, call => call.Headers["x-request-id"] == answer.RequestId().ToString());
        return (call, call.Path[call.Path.IndexOf("/v1/", StringComparison.Ordinal)..]);
    }

    public static Guid RequestId(this HttpResponseMessage answer) => Guid.Parse(answer.Headers.GetValues("x-request-id").Single());
}

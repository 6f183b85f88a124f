using System.Buffers.Text;
using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using System.Web;

namespace LlmMarketplace.Identity.Tests;

/// <summary>A browser without scripts at the public address: keeps cookies, follows redirects while they stay, submits forms.</summary>
public sealed partial class Browser(IdentityApp app)
{
    public const string Loopback = "http://127.0.0.1:53682/callback";

    private readonly Dictionary<string, string> cookies = [];

    public string Verifier { get; } = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(32));

    public HttpStatusCode Status { get; private set; }

    public string Body { get; private set; } = "";

    public HttpResponseHeaders Headers { get; private set; } = null!;

    public List<string> SetCookies { get; } = [];

    /// <summary>Where the last redirect led away to.</summary>
    public Uri? Left { get; private set; }

    /// <summary>The same browser, cookies and all, at another instance.</summary>
    public Browser At(IdentityApp other)
    {
        var same = new Browser(other);
        foreach (var (name, value) in cookies)
        {
            same.cookies[name] = value;
        }

        return same;
    }

    private string Challenge => Base64Url.EncodeToString(SHA256.HashData(Encoding.ASCII.GetBytes(Verifier)));

    public string AuthorizeAddress(string redirectUri = Loopback, string scope = "openid offline_access marketplace", string more = "") =>
        $"/connect/authorize?response_type=code&client_id=marketplace-cli&redirect_uri={Uri.EscapeDataString(redirectUri)}&scope={Uri.EscapeDataString(scope)}&state=xyz&code_challenge={Challenge}&code_challenge_method=S256{more}";

    public Task GoAsync(string address) => SendAsync(HttpMethod.Get, address, null);

    /// <summary>Submits the page's form with its hidden fields and <paramref name="fields"/>.</summary>
    public Task SubmitAsync(params (string Name, string Value)[] fields)
    {
        var form = FormPattern().Match(Body);
        Assert.True(form.Success, $"There is no form on this page ({Status}): {Body}");
        var all = HiddenPattern().Matches(Body).Select(hidden => KeyValuePair.Create(Decode(hidden.Groups[1].Value), Decode(hidden.Groups[2].Value)))
            .Concat(fields.Select(field => KeyValuePair.Create(field.Name, field.Value)));
        return SendAsync(HttpMethod.Post, Decode(form.Groups[1].Value), new FormUrlEncodedContent(all));
    }

    /// <summary>Posts without what the page's form carries.</summary>
    public Task PostAsync(string address, params (string Name, string Value)[] fields) =>
        SendAsync(HttpMethod.Post, address, new FormUrlEncodedContent(fields.Select(field => KeyValuePair.Create(field.Name, field.Value))));

    public Task SignInAsync(string email, string password) => SubmitAsync(("email", email), ("password", password));

    /// <summary>The link whose text contains <paramref name="text"/>.</summary>
    public Task FollowAsync(string text) => GoAsync(Decode(LinkPattern().Matches(Body).Single(link => link.Groups[2].Value.Contains(text, StringComparison.Ordinal)).Groups[1].Value));

    /// <summary>A parameter of the address that the last redirect led away to.</summary>
    public string? LeftWith(string parameter) => Left is null ? null : HttpUtility.ParseQueryString(Left.Query)[parameter];

    /// <summary>Signs in and exchanges the code.</summary>
    public async Task<(int Status, System.Text.Json.JsonElement Body)> TokenAsync(string email, string password, string more = "")
    {
        await GoAsync(AuthorizeAddress(more: more));
        await SignInAsync(email, password);
        return await ExchangeAsync();
    }

    public Task<(int Status, System.Text.Json.JsonElement Body)> ExchangeAsync(string? verifier = null, string redirectUri = Loopback)
    {
        Assert.True(LeftWith("code") is not null, $"There is no code: {Status} {Left} {Body}");
        return app.TokenAsync(
            ("grant_type", "authorization_code"), ("client_id", "marketplace-cli"), ("code", LeftWith("code")!), ("redirect_uri", redirectUri), ("code_verifier", verifier ?? Verifier));
    }

    private async Task SendAsync(HttpMethod method, string address, HttpContent? content)
    {
        for (Left = null; ; method = HttpMethod.Get, content = null)
        {
            using var request = new HttpRequestMessage(method, address) { Content = content };
            request.Headers.TryAddWithoutValidation("Cookie", string.Join("; ", cookies.Select(cookie => $"{cookie.Key}={cookie.Value}")));
            using var response = await app.Client.SendAsync(request);
            (Status, Body, Headers) = (response.StatusCode, await response.Content.ReadAsStringAsync(), response.Headers);
            Keep(response);
            if (response.Headers.Location is not { } location)
            {
                return;
            }

            if (location.IsAbsoluteUri && location.Scheme.StartsWith("http", StringComparison.Ordinal))
            {
                Left = location;
                return;
            }

            address = location.OriginalString;
        }
    }

    private void Keep(HttpResponseMessage response)
    {
        foreach (var cookie in response.Headers.TryGetValues("Set-Cookie", out var set) ? set : [])
        {
            SetCookies.Add(cookie);
            var pair = cookie.Split(';')[0].Split('=', 2);
            if (pair[1].Length == 0)
            {
                cookies.Remove(pair[0]);
            }
            else
            {
                cookies[pair[0]] = pair[1];
            }
        }
    }

    private static string Decode(string html) => WebUtility.HtmlDecode(html);

    [GeneratedRegex("<form method=\"post\" action=\"([^\"]*)\"")]
    private static partial Regex FormPattern();

    [GeneratedRegex("<input type=\"hidden\" name=\"([^\"]*)\" value=\"([^\"]*)\"")]
    private static partial Regex HiddenPattern();

    [GeneratedRegex("<a[^>]*href=\"([^\"]*)\">(.*?)</a>", RegexOptions.Singleline)]
    private static partial Regex LinkPattern();
}

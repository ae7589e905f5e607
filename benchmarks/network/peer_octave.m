% Octave's part of benchmarks/network/run.py: reads cases.json, prints one JSON object after RESULT.
pkg load queueing
cases = jsondecode(fileread(argv(){end}));
function [seconds, answer] = timed(repeats, f)
  times = zeros(1, repeats);
  for i = 1:repeats
    start = cputime(); answer = f(); times(i) = cputime() - start;
  end
  times = sort(times); seconds = times(floor(repeats / 2) + 1);
end
function answer = one_class(c, m)
  D = c.demands(:)';
  [U, R, Q, X] = qncsmva(c.populations, D, ones(size(D)), m, c.think);
  answer = X(1);
end
function answer = two_classes(c)
  S = c.demands';
  [U, R, Q, X] = qncmmva(c.populations', S, ones(size(S)), ones(1, columns(S)), c.think');
  answer = X(:, 1)';
end
function answer = open_rates(c)
  D = c.demands(:)'; V = ones(size(D));
  rates = linspace(0, c.top, c.points + 2)(2:end-1);
  answer = 0;
  for i = 1:numel(rates)
    [U, R, Q, X] = qnos(rates(i), D, V);
    answer = sum(R);
  end
end
[a, b] = timed(3, @() one_class(cases.one, 1));
[c, d] = timed(1, @() two_classes(cases.two));
[e, f] = timed(1, @() open_rates(cases.open));
[g, h] = timed(1, @() one_class(cases.servers, cases.servers.servers));
printf("RESULT {\"one\": {\"seconds\": %.9g, \"answer\": [%.12g]}, \"two\": {\"seconds\": %.9g, \"answer\": [%.12g, %.12g]}, \"open\": {\"seconds\": %.9g, \"answer\": [%.12g]}, \"servers\": {\"seconds\": %.9g, \"answer\": [%.12g]}}\n", a, b, c, d(1), d(2), e, f, g, h);
